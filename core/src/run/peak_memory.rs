//! The peak memory use of this process.

/// The largest resident set so far, in bytes; `None` if the system does not report it.
pub fn peak_memory_bytes() -> Option<u64> {
    // Linux reports the high-water mark in kB.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
