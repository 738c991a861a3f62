//! The adapters that wgpu finds on this machine, and the choice of one.

use std::fmt;

use crate::{Error, Result};

/// One adapter of this machine, with the limits on the size of models.
#[derive(Clone, Debug)]
pub struct AdapterInfo {
    /// The product's name.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software` or `GPU`.
    pub kind: &'static str,
    /// Driver and version, if the system reports them.
    pub driver: String,
    /// Whether it runs on the CPU; it is then used only if it is named.
    pub software: bool,
    /// Largest part of a buffer that a kernel can bind, thus the largest table, in bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
}

impl AdapterInfo {
    fn of(adapter: &wgpu::Adapter) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete GPU",
            wgpu::DeviceType::IntegratedGpu => "integrated GPU",
            wgpu::DeviceType::VirtualGpu => "virtual GPU",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "GPU",
        };
        // Browsers do not report the product's name.
        let name = if info.name.is_empty() { "WebGPU adapter".to_owned() } else { info.name };
        Self {
            name,
            backend: info.backend.to_str().to_owned(),
            kind,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            software: info.device_type == wgpu::DeviceType::Cpu,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
        }
    }

    /// Rank of an adapter; lower is better.
    fn rank(&self) -> u8 {
        match self.kind {
            "discrete GPU" => 0,
            "integrated GPU" => 1,
            "software" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, backend, kind, .. } = self;
        write!(f, "{name} ({kind}, {backend})")
    }
}

/// All adapters, best first. The position of an adapter is its number.
pub async fn adapters() -> Vec<AdapterInfo> {
    found().await.into_iter().map(|(_, info)| info).collect()
}

/// What an adapter offers to any program; the engine uses a part of it.
#[derive(Clone, Debug)]
pub struct AdapterDetails {
    /// Names of wgpu's features.
    pub features: Vec<String>,
    /// Limits that bear on kernels, by WebGPU's names.
    pub limits: Vec<(&'static str, u64)>,
}

/// The features and limits of the adapter that `wanted` selects, as [`Engine::select`](crate::engine::Engine::select)
/// does.
///
/// # Errors
/// [`Error::Device`] if there is no such adapter.
pub async fn adapter_details(wanted: Option<&str>) -> Result<AdapterDetails> {
    let (adapter, _) = choose(wanted).await?;
    let (info, limits) = (adapter.get_info(), adapter.limits());
    Ok(AdapterDetails {
        features: adapter.features().iter_names().map(|(name, _)| name.to_owned()).collect(),
        limits: vec![
            ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size),
            ("maxBufferSize", limits.max_buffer_size),
            ("maxStorageBuffersPerShaderStage", limits.max_storage_buffers_per_shader_stage.into()),
            ("maxComputeWorkgroupStorageSize", limits.max_compute_workgroup_storage_size.into()),
            ("maxComputeInvocationsPerWorkgroup", limits.max_compute_invocations_per_workgroup.into()),
            ("maxComputeWorkgroupsPerDimension", limits.max_compute_workgroups_per_dimension.into()),
            ("minUniformBufferOffsetAlignment", limits.min_uniform_buffer_offset_alignment.into()),
            ("subgroupMinSize", info.subgroup_min_size.into()),
            ("subgroupMaxSize", info.subgroup_max_size.into()),
            ("vendor", info.vendor.into()),
            ("device", info.device.into()),
        ],
    })
}

async fn found() -> Vec<(wgpu::Adapter, AdapterInfo)> {
    let instance = wgpu::Instance::new(descriptor());
    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    let mut found: Vec<_> = adapters
        .into_iter()
        .map(|adapter| {
            let info = AdapterInfo::of(&adapter);
            (adapter, info)
        })
        .collect();
    found.sort_by_key(|(_, info)| info.rank());
    found
}

fn descriptor() -> wgpu::InstanceDescriptor {
    let descriptor = wgpu::InstanceDescriptor {
        // Shaders are validated when this library is built; validation layers of the driver would only cost
        // time.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    // WGPU_VALIDATION, WGPU_DEBUG, WGPU_BACKEND and others.
    #[cfg(not(target_arch = "wasm32"))]
    let descriptor = descriptor.with_env();
    descriptor
}

/// The adapter that `wanted` selects (see [`position`]), or the best that is not software.
pub(super) async fn choose(wanted: Option<&str>) -> Result<(wgpu::Adapter, AdapterInfo)> {
    let mut found = found().await;
    let position = match wanted {
        Some(wanted) => position(found.iter().map(|(_, info)| info), wanted),
        None => found.iter().position(|(_, info)| !info.software),
    };
    if let Some(position) = position {
        return Ok(found.swap_remove(position));
    }
    let list: Vec<String> = found.iter().enumerate().map(|(at, (_, info))| format!("{at}: {info}")).collect();
    let list = list.join(", ");
    Err(Error::Device(match (found.is_empty(), wanted) {
        (true, _) => "no GPU adapter: no driver for Vulkan, Metal, DirectX 12 or WebGPU was found".to_owned(),
        (false, Some(wanted)) => format!(
            "no adapter fits \"{wanted}\": take a number, part of a name, a backend for its best GPU, or both as \
             in `vulkan:nvidia`; there are {list}"
        ),
        (false, None) => {
            format!(
                "no GPU: only {list}, which is slower than the CPU engine and is used where `adapter` names it"
            )
        }
    }))
}

/// The position of the first adapter that fits: the adapter of this number; the first of a backend that is not
/// software; or the first whose name contains `wanted`, in any case, also with a backend and a colon before it.
#[cfg(not(target_arch = "wasm32"))]
fn position<'a>(mut adapters: impl Iterator<Item = &'a AdapterInfo>, wanted: &str) -> Option<usize> {
    let wanted = wanted.to_lowercase();
    // More digits are part of a name, such as 3090.
    if wanted.len() <= 2
        && let Ok(number) = wanted.parse()
    {
        return adapters.nth(number).map(|_| number);
    }
    let (backend, name) = match wanted.split_once(':') {
        Some((backend, name)) if BACKENDS.contains(&backend) => (backend, name),
        _ if BACKENDS.contains(&wanted.as_str()) => (wanted.as_str(), ""),
        _ => ("", wanted.as_str()),
    };
    adapters.position(|info| {
        let named = if name.is_empty() { !info.software } else { info.name.to_lowercase().contains(name) };
        named && (backend.is_empty() || info.backend == backend)
    })
}

/// A browser offers one adapter at most.
#[cfg(target_arch = "wasm32")]
fn position<'a>(mut adapters: impl Iterator<Item = &'a AdapterInfo>, _: &str) -> Option<usize> {
    adapters.next().map(|_| 0)
}

/// Backends by the names that [`AdapterInfo::backend`] has.
#[cfg(not(target_arch = "wasm32"))]
const BACKENDS: [&str; 3] = ["vulkan", "metal", "dx12"];

#[cfg(test)]
mod tests {
    use super::{AdapterInfo, position};

    #[test]
    fn adapters_are_chosen_by_number_backend_and_name() {
        let adapter = |name: &str, backend: &str, kind| AdapterInfo {
            name: name.into(),
            backend: backend.into(),
            kind,
            driver: String::new(),
            software: kind == "software",
            max_binding_bytes: 1,
            max_buffer_bytes: 1,
        };
        let list = [
            adapter("NVIDIA GeForce RTX 3090", "vulkan", "discrete GPU"),
            adapter("NVIDIA GeForce RTX 3090", "dx12", "discrete GPU"),
            adapter("Intel(R) UHD Graphics 770", "vulkan", "integrated GPU"),
            adapter("llvmpipe (LLVM 15.0.6, 256 bits)", "vulkan", "software"),
        ];
        for (wanted, at) in [
            ("0", Some(0)),
            ("2", Some(2)),
            ("3", Some(3)),
            ("4", None),
            ("3090", Some(0)),
            ("770", Some(2)),
            ("nvidia", Some(0)),
            ("Vulkan", Some(0)),
            ("dx12", Some(1)),
            ("dx12:RTX", Some(1)),
            ("vulkan:intel", Some(2)),
            ("dx12:intel", None),
            ("metal", None),
            ("vulkan:llvmpipe", Some(3)),
            ("LLVMPIPE", Some(3)),
            ("radeon", None),
            ("", Some(0)),
        ] {
            assert_eq!(position(list.iter(), wanted), at, "{wanted:?}");
        }
        // Software is used only if its name or number is given.
        assert_eq!(position(list[3..].iter(), "vulkan"), None);
        assert_eq!(position(list[3..].iter(), ""), None);
        assert_eq!(position(list[3..].iter(), "0"), Some(0));
    }
}
