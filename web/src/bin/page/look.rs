//! The style sheet, as an adopted one: it works in shadow roots and under policies that forbid inline styles.

use std::borrow::Cow;

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Element, ShadowRoot};

/// The files of style/ in the order in which index.html links them: later rules win over earlier ones.
const STYLE: &str = concat!(
    include_str!("style/page.css"),
    include_str!("style/figures.css"),
    include_str!("style/lessons.css"),
    include_str!("style/narrow.css"),
);

/// Gives the document or shadow root of `root` the style sheet, once.
pub fn adopt(root: &Element) -> Result<(), JsValue> {
    let (tree, style): (JsValue, Cow<'_, str>) = match root.get_root_node().dyn_into::<ShadowRoot>() {
        // There, `rem` is whatever the host page makes of it; the size that its reader set is not.
        Ok(shadow) => (shadow.into(), without_rem(STYLE, text_size(root).unwrap_or(16.0)).into()),
        Err(_) => (root.owner_document().into(), STYLE.into()),
    };
    let mark = JsValue::from_str("fastvaeStyle");
    if Reflect::get(&tree, &mark)?.is_truthy() {
        return Ok(());
    }
    let sheet = web_sys::CssStyleSheet::new()?;
    let replace: Function = Reflect::get(&sheet, &"replaceSync".into())?.dyn_into()?;
    replace.call1(&sheet, &(*style).into())?;
    let name = JsValue::from_str("adoptedStyleSheets");
    let sheets = Array::from(&Reflect::get(&tree, &name)?);
    sheets.push(&sheet);
    Reflect::set(&tree, &name, &sheets)?;
    Reflect::set(&tree, &mark, &JsValue::TRUE)?;
    Ok(())
}

/// The size of text in an element, in CSS pixels.
fn text_size(element: &Element) -> Option<f64> {
    let window: JsValue = web_sys::window()?.into();
    let computed: Function = Reflect::get(&window, &"getComputedStyle".into()).ok()?.dyn_into().ok()?;
    let style = computed.call1(&window, element).ok()?;
    let size = Reflect::get(&style, &"fontSize".into()).ok()?.as_string()?;
    size.strip_suffix("px")?.parse().ok()
}

/// The style sheet with `rem` in pixels.
fn without_rem(style: &str, size: f64) -> String {
    let mut out = String::with_capacity(style.len());
    let mut pieces = style.split("rem").peekable();
    while let Some(piece) = pieces.next() {
        let digits = piece.len() - piece.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (before, number) = piece.split_at(piece.len() - digits);
        out.push_str(before);
        match number.parse::<f64>() {
            Ok(number) if pieces.peek().is_some() => out.push_str(&format!("{}px", number * size)),
            _ => {
                out.push_str(number);
                if pieces.peek().is_some() {
                    out.push_str("rem");
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rem_becomes_pixels_and_nothing_else_changes() {
        assert_eq!(
            without_rem("a{margin:0 1.5rem;gap:.5rem} /* remember */ b{width:calc(2rem + 3em)}", 20.0),
            "a{margin:0 30px;gap:10px} /* remember */ b{width:calc(40px + 3em)}"
        );
        assert!(!without_rem(STYLE, 16.0).contains("rem;"));
    }
}
