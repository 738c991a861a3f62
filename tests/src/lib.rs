//! Shared helpers of the tests: fixtures, tolerances, the engines under test.
