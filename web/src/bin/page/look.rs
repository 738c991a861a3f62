//! The style sheet, as an adopted one: it works in shadow roots and under policies that forbid inline styles.

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Element, ShadowRoot};

const STYLE: &str = include_str!("style.css");

/// Gives the document or shadow root of `root` the style sheet, once.
pub fn adopt(root: &Element) -> Result<(), JsValue> {
    let tree: JsValue = match root.get_root_node().dyn_into::<ShadowRoot>() {
        Ok(shadow) => shadow.into(),
        Err(_) => root.owner_document().into(),
    };
    let mark = JsValue::from_str("fastvaeStyle");
    if Reflect::get(&tree, &mark)?.is_truthy() {
        return Ok(());
    }
    let sheet = web_sys::CssStyleSheet::new()?;
    let replace: Function = Reflect::get(&sheet, &"replaceSync".into())?.dyn_into()?;
    replace.call1(&sheet, &STYLE.into())?;
    let name = JsValue::from_str("adoptedStyleSheets");
    let sheets = Array::from(&Reflect::get(&tree, &name)?);
    sheets.push(&sheet);
    Reflect::set(&tree, &name, &sheets)?;
    Reflect::set(&tree, &mark, &JsValue::TRUE)?;
    Ok(())
}
