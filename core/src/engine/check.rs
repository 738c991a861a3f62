//! Checks of a kernel's buffers before it runs.

use super::{Buffer, Engine};
use crate::{Error, Result};

/// Checks the buffers of one kernel against the engine that will run it.
///
/// Sizes are products of dimensions; an overflow fails like a buffer that is too short.
pub struct Check<'e> {
    engine: &'e Engine,
    kernel: &'static str,
}

impl<'e> Check<'e> {
    /// The checks of `kernel` on `engine`.
    pub(super) fn new(engine: &'e Engine, kernel: &'static str) -> Self {
        Self { engine, kernel }
    }

    /// Fails unless `buffer` lives on the engine and holds at least as many elements as the product of `shape`.
    pub fn holds<T>(&self, buffer: &Buffer<T>, shape: &[usize]) -> Result<()> {
        self.holds_after(buffer, 0, shape)
    }

    /// As [`Check::holds`], for the elements that follow the first `offset`.
    pub fn holds_after<T>(&self, buffer: &Buffer<T>, offset: usize, shape: &[usize]) -> Result<()> {
        buffer.expect_on(self.engine)?;
        let needed = product(shape).and_then(|len| len.checked_add(offset));
        match needed {
            Some(needed) if needed <= buffer.len() => Ok(()),
            Some(needed) => {
                self.fail(format!("`{}` holds {} elements, {needed} needed", buffer.label(), buffer.len()))
            }
            None => self.fail(format!("`{}` would need more elements than can be counted", buffer.label())),
        }
    }

    /// As [`Check::holds`], for an optional buffer.
    pub fn may_hold<T>(&self, buffer: Option<&Buffer<T>>, shape: &[usize]) -> Result<()> {
        buffer.map_or(Ok(()), |buffer| self.holds(buffer, shape))
    }

    /// Fails unless `buffer` lives on the engine; its length is checked where it is indexed.
    pub fn lives_here<T>(&self, buffer: &Buffer<T>) -> Result<()> {
        buffer.expect_on(self.engine)
    }

    /// Fails on a GPU, for a kernel without a shader.
    pub fn on_cpu(&self) -> Result<()> {
        self.that(self.engine.is_cpu(), || "it runs on the CPU engine only".into())
    }

    /// Fails if the product of `shape` exceeds `most`.
    pub fn at_most(&self, most: usize, shape: &[usize]) -> Result<()> {
        let fits = product(shape).is_some_and(|product| product <= most);
        self.that(fits, || format!("{shape:?} multiply to more than {most}"))
    }

    /// Fails with `problem` unless `condition` is true.
    pub fn that(&self, condition: bool, problem: impl FnOnce() -> String) -> Result<()> {
        if condition { Ok(()) } else { self.fail(problem()) }
    }

    fn fail(&self, problem: String) -> Result<()> {
        Err(Error::Shape { kernel: self.kernel, problem })
    }
}

fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_that_overflow_are_too_much_for_any_buffer() {
        let engine = Engine::cpu();
        let buffer = engine.zeros::<f32>("six", 6).expect("memory");
        let check = Check::new(&engine, "test");
        assert!(check.holds(&buffer, &[2, 3]).is_ok());
        assert!(check.holds(&buffer, &[7]).is_err());
        assert!(check.holds_after(&buffer, 1, &[6]).is_err());
        for shape in [[usize::MAX, 2], [1 << (usize::BITS / 2), 1 << (usize::BITS / 2)]] {
            let error = check.holds(&buffer, &shape).expect_err("it wraps to a small number");
            assert!(error.to_string().contains("can be counted"), "{error}");
        }
        assert!(check.holds_after(&buffer, usize::MAX, &[2]).is_err());
        assert!(check.at_most(6, &[3, 2]).is_ok() && check.at_most(6, &[usize::MAX, 3]).is_err());
    }
}
