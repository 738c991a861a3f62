//! The WGSL compute shaders, validated and reflected by the build script.
