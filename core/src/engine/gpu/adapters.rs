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

/// All adapters, best first.
pub async fn adapters() -> Vec<AdapterInfo> {
    found().await.into_iter().map(|(_, info)| info).collect()
}

async fn found() -> Vec<(wgpu::Adapter, AdapterInfo)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        // Shaders are validated when this library is built; validation layers of the driver would only cost
        // time.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
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

/// The best adapter whose name contains `name`, or the best that is not software.
pub(super) async fn choose(name: Option<&str>) -> Result<(wgpu::Adapter, AdapterInfo)> {
    let mut found = found().await;
    let fits = |info: &AdapterInfo| match name {
        Some(name) => info.name.to_lowercase().contains(&name.to_lowercase()),
        None => !info.software,
    };
    if let Some(index) = found.iter().position(|(_, info)| fits(info)) {
        return Ok(found.swap_remove(index));
    }
    let list = found.iter().map(|(_, info)| info.to_string()).collect::<Vec<_>>().join(", ");
    Err(Error::Device(match (found.is_empty(), name) {
        (true, _) => "no GPU adapter: no driver for Vulkan, Metal, DirectX 12 or WebGPU was found".to_owned(),
        (false, Some(name)) => format!("no adapter is called \"{name}\"; there are: {list}"),
        (false, None) => {
            format!(
                "no GPU: only {list}, which is slower than the CPU engine and is used where `adapter` names it"
            )
        }
    }))
}
