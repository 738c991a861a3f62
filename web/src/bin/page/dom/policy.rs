//! The page's own Trusted Types policy, `fastvae`: the only way to markup and to workers. A host page that requires
//! trusted types allows it by `trusted-types fastvae`.

use std::cell::OnceCell;

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Element, Worker};

/// Elements that the surface never has. Text is escaped where it enters markup, so each `<` begins an element.
const REFUSED: [&str; 9] = ["script", "iframe", "object", "embed", "base", "link", "meta", "style", "form"];

thread_local! {
    /// The policy; none where the browser knows no trusted types, or the host page's policy does not allow it.
    static POLICY: OnceCell<Option<Object>> = const { OnceCell::new() };
}

/// Makes markup the content of an element.
pub fn set_html(element: &Element, html: &str) -> Result<(), JsValue> {
    check_html(html)?;
    Reflect::set(element, &"innerHTML".into(), &trusted("createHTML", html)?).map(drop)
}

/// Starts a worker of a script that this page has made: `address` begins with `blob:`.
pub fn start_worker(address: &str) -> Result<Worker, JsValue> {
    check_script(address)?;
    let worker: Function = Reflect::get(&js_sys::global(), &"Worker".into())?.dyn_into()?;
    Reflect::construct(&worker, &Array::of1(&trusted("createScriptURL", address)?))?.dyn_into()
}

fn check_html(html: &str) -> Result<(), JsValue> {
    match refused(html) {
        Some(tag) => Err(js_sys::Error::new(&format!("markup with <{tag}> is refused")).into()),
        None => Ok(()),
    }
}

fn refused(html: &str) -> Option<&'static str> {
    let mut elements = html.split('<').skip(1);
    elements.find_map(|element| REFUSED.into_iter().find(|tag| element.starts_with(tag)))
}

fn check_script(address: &str) -> Result<(), JsValue> {
    if address.starts_with("blob:") {
        Ok(())
    } else {
        Err(js_sys::Error::new(&format!("a worker of {address} is refused")).into())
    }
}

fn trusted(make: &str, text: &str) -> Result<JsValue, JsValue> {
    POLICY.with(|policy| match policy.get_or_init(create) {
        Some(policy) => {
            let make: Function = Reflect::get(policy, &make.into())?.dyn_into()?;
            make.call1(policy, &text.into())
        }
        None => Ok(text.into()),
    })
}

fn create() -> Option<Object> {
    let types = Reflect::get(&js_sys::global(), &"trustedTypes".into()).ok().filter(JsValue::is_object)?;
    let create: Function = Reflect::get(&types, &"createPolicy".into()).ok()?.dyn_into().ok()?;
    let rules = Object::new();
    for name in ["createHTML", "createScriptURL"] {
        // Nothing but this file reaches the policy, and it has checked the text by then.
        let rule = Closure::<dyn Fn(JsValue) -> JsValue>::new(|text| text);
        // The policy lives as long as the page.
        Reflect::set(&rules, &name.into(), &rule.into_js_value()).ok()?;
    }
    create.call2(&types, &"fastvae".into(), &rules).ok()?.dyn_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surface_has_no_script() {
        assert_eq!(refused("<p title=\"&lt;script>\">text, script</p>"), None);
        assert_eq!(refused("<p>text</p><script>"), Some("script"));
    }
}
