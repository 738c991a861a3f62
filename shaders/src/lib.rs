//! The WGSL compute shaders, validated and reflected by the build script.
//!
//! Each `<name>.wgsl` becomes a module `<name>` with its uniform struct `Params` and its storage buffers
//! `Bindings`. [`Parameters`] connects the two, so a dispatch cannot bind the buffers of one shader to
//! another, bind an `f32` buffer to a `u32` array, or leave one out.

#![forbid(unsafe_code)]

/// One compute shader.
#[derive(Debug)]
pub struct Shader {
    /// Stem of its file name.
    pub name: &'static str,
    /// WGSL with imports expanded; the entry point is `main`.
    pub source: &'static str,
    /// Workgroup size along each axis.
    pub workgroup_size: [u32; 3],
    /// Size in bytes of the uniform at binding 0.
    pub params_size: u32,
    /// The storage buffers from binding 1 on.
    pub bindings: &'static [Binding],
}

/// One storage buffer of a shader.
#[derive(Debug)]
pub struct Binding {
    /// The variable's name.
    pub name: &'static str,
    /// Whether the shader only reads the buffer.
    pub read_only: bool,
}

/// The caller's buffer types, for each element type.
pub trait Memory {
    /// A buffer of `f32`.
    type F32: Into<Self::Any>;
    /// A buffer of `u32`, `i32` or atomics of them.
    type U32: Into<Self::Any>;
    /// A buffer of any element type.
    type Any;
}

/// The uniform struct of a shader, which identifies the shader.
pub trait Parameters: bytemuck::Pod {
    /// The storage buffers of the shader.
    type Bindings<M: Memory>;
    /// The shader.
    const SHADER: &'static Shader;
    /// The buffers by binding index, from 1 on.
    fn in_order<M: Memory>(bindings: Self::Bindings<M>) -> Vec<M::Any>;
}

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
