//! How much memory this machine has left.

use crate::{Error, Result};

/// Memory that can be allocated without swapping, in bytes; `None` if the system does not report it.
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Fails if `needed` bytes are more than this machine has left; `sum` is the arithmetic behind the number, and
/// `remedy` what to do instead.
///
/// # Errors
/// [`Error::Data`] with all of them.
pub(crate) fn check(needed: Option<u64>, sum: &str, remedy: &str) -> Result<()> {
    check_against(available_bytes(), needed, sum, remedy)
}

fn check_against(available: Option<u64>, needed: Option<u64>, sum: &str, remedy: &str) -> Result<()> {
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let Some(needed) = needed else {
        return Err(Error::Data(format!("{sum} are more than this machine can address; {remedy}")));
    };
    match available {
        Some(available) if needed > available => Err(Error::Data(format!(
            "{sum} = {} of memory, and this machine has {} left; {remedy}",
            gigabytes(needed),
            gigabytes(available)
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_refused_with_its_arithmetic() {
        let check = |available, needed| check_against(available, needed, "2 x 3 x 4 bytes", "take less");
        assert!(check(Some(24), Some(24)).is_ok() && check(None, Some(u64::MAX)).is_ok());
        let problem = |available, needed| check(available, needed).expect_err("accepted").to_string();
        let few = problem(Some(1_000_000_000), Some(2_340_000_000));
        assert_eq!(few, "2 x 3 x 4 bytes = 2.3 GB of memory, and this machine has 1.0 GB left; take less");
        assert!(problem(None, None).contains("can address"));
    }
}
