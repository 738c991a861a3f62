//! Compares numbers within tolerances.

use std::fmt::Write;

/// Panics unless `|got - want| <= atol + rtol * |want|` everywhere; the message lists the first ten
/// mismatches.
///
/// NaN never matches; equal infinities match. Elements are `f32` or `f64` and are compared in `f64`.
#[track_caller]
pub fn assert_close<G, W>(name: &str, got: &[G], want: &[W], atol: f64, rtol: f64)
where
    G: Copy + Into<f64>,
    W: Copy + Into<f64>,
{
    assert_eq!(got.len(), want.len(), "{name}: number of values (left: got, right: want)");
    let mut mismatches = 0;
    let mut listed = String::new();
    for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
        let (got, want): (f64, f64) = (got.into(), want.into());
        let error = (got - want).abs();
        // Tests for closeness and not for distance, so that a NaN on either side is a mismatch.
        if got == want || error <= atol + rtol * want.abs() && want.is_finite() {
            continue;
        }
        mismatches += 1;
        if mismatches <= 10 {
            let _ = write!(listed, "\n  [{index}] got {got:e}, want {want:e}, off by {error:e}");
        }
    }
    assert!(
        mismatches == 0,
        "{name}: {mismatches} of {} values differ by more than {atol:e} + {rtol:e} * |want|:{listed}",
        got.len()
    );
}

/// Panics unless both slices are equal; the message lists the first ten differences.
#[track_caller]
pub fn assert_equal<T: PartialEq + std::fmt::Debug>(name: &str, got: &[T], want: &[T]) {
    assert_eq!(got.len(), want.len(), "{name}: number of values (left: got, right: want)");
    let wrong: Vec<usize> = (0..got.len()).filter(|&i| got[i] != want[i]).collect();
    let listed: String =
        wrong.iter().take(10).map(|&i| format!("\n  [{i}] got {:?}, want {:?}", got[i], want[i])).collect();
    assert!(wrong.is_empty(), "{name}: {} of {} values differ:{listed}", wrong.len(), got.len());
}

#[cfg(test)]
mod tests {
    use super::{assert_close, assert_equal};

    #[test]
    #[should_panic(expected = "1 of 2 values differ:\n  [1] got 3, want 2")]
    fn names_what_is_not_equal() {
        assert_equal("integers", &[1, 3], &[1, 2]);
    }

    #[test]
    fn accepts_what_is_within_tolerance() {
        assert_close("exact", &[1.0f32, -0.0, f32::INFINITY], &[1.0f64, 0.0, f64::INFINITY], 0.0, 0.0);
        assert_close("absolute", &[0.09f64], &[0.0f64], 0.1, 0.0);
        assert_close("relative", &[109.0f64], &[100.0f64], 0.0, 0.1);
        assert_close::<f32, f32>("empty", &[], &[], 0.0, 0.0);
    }

    #[test]
    #[should_panic(expected = "[1] got NaN")]
    fn refuses_nan() {
        assert_close("nan", &[0.0, f64::NAN], &[0.0, 0.0], 1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "1 of 1 values")]
    fn refuses_nan_for_nan() {
        assert_close("nan", &[f64::NAN], &[f64::NAN], 1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "1 of 1 values")]
    fn refuses_a_number_for_infinity() {
        assert_close("infinity", &[1.0f64], &[f64::INFINITY], 1.0, 1.0);
    }

    #[test]
    #[should_panic(expected = "number of values")]
    fn refuses_other_lengths() {
        assert_close("length", &[1.0f64], &[1.0f64, 1.0], 1.0, 1.0);
    }

    #[test]
    fn lists_ten_and_counts_all() {
        let panic = std::panic::catch_unwind(|| assert_close("many", &[1.0f64; 12], &[0.0f64; 12], 0.5, 0.5));
        let message = *panic.unwrap_err().downcast::<String>().unwrap();
        assert!(
            message.contains("many: 12 of 12") && message.contains("[9]") && !message.contains("[10]"),
            "{message}"
        );
    }
}
