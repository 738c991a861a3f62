//! Excerpts of input for messages.

/// The first 60 characters.
pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= 60 { text.into() } else { text.chars().take(60).chain(['…']).collect() }
}
