//! How much memory this process has used.

/// The largest resident set so far, in bytes; `None` where the system does not say.
pub fn peak_memory_bytes() -> Option<u64> {
    // Linux keeps the high-water mark there, in kB.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
