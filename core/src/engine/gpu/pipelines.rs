//! The compute pipelines of a device, compiled when a shader is first used.

use fastvae_shaders::Shader;

use super::{GpuEngine, lock};
#[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
use crate::Result;

#[derive(Clone)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl GpuEngine {
    /// Compiles a shader ahead of its first use.
    ///
    /// # Errors
    /// [`Error::Device`] if the driver refuses it.
    #[cfg(all(feature = "internals", not(target_arch = "wasm32")))]
    #[doc(hidden)]
    pub fn prepare(&self, shader: &'static Shader) -> Result<()> {
        self.pipeline(shader);
        self.status()
    }

    pub(super) fn pipeline(&self, shader: &'static Shader) -> Pipeline {
        lock(&self.pipelines).entry(shader.name).or_insert_with(|| self.compile(shader)).clone()
    }

    fn compile(&self, shader: &'static Shader) -> Pipeline {
        let label = Some(shader.name);
        let entry = |binding, ty, has_dynamic_offset, size: u32| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset,
                min_binding_size: wgpu::BufferSize::new(size.into()),
            },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, true, shader.params_size)];
        for (index, binding) in (1..).zip(shader.bindings) {
            let ty = wgpu::BufferBindingType::Storage { read_only: binding.read_only };
            entries.push(entry(index, ty, false, 0));
        }
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(shader.source.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Kernels write their workgroup memory before they read it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }
}
