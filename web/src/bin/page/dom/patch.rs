//! Gives an element new content by changing what it has: buttons that stay are the same elements afterwards, so a press
//! under way is not lost, and the focus stays where it was.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement, HtmlTemplateElement, Node};

use super::policy;

/// What somebody may be about to press, or has the focus on.
const IN_USE: &str = "[data-act], :focus";
const FOCUSABLE: &str = "button, select, input, textarea, a[href], [tabindex]";

/// Brings the content of `part` to `html`.
pub fn fill(part: &Element, html: &str) -> Result<(), JsValue> {
    if part.query_selector(IN_USE)?.is_none() {
        return policy::set_html(part, html);
    }
    let template: HtmlTemplateElement = document(part)?.create_element("template")?.dyn_into()?;
    policy::set_html(&template, html)?;
    let focused = part.query_selector(":focus")?;
    let place = focused.as_ref().and_then(|focused| place_of(part, focused));
    children(part, &template.content())?;
    if let Some(focused) = focused {
        refocus(part, &focused, place.unwrap_or(0))?;
    }
    Ok(())
}

fn document(part: &Element) -> Result<web_sys::Document, JsValue> {
    part.owner_document().ok_or_else(|| "the element belongs to no document".into())
}

/// Makes the children of `old` those of `new`, which loses them.
fn children(old: &Node, new: &Node) -> Result<(), JsValue> {
    let mut present = old.first_child();
    while let Some(wanted) = new.first_child() {
        let same = find(present.as_ref(), &wanted);
        match same {
            Some(same) => {
                if present.as_ref() == Some(&same) {
                    present = same.next_sibling();
                } else {
                    old.insert_before(&same, present.as_ref())?;
                }
                update(&same, &wanted)?;
                new.remove_child(&wanted)?;
            }
            None => {
                old.insert_before(&wanted, present.as_ref())?;
            }
        }
    }
    while let Some(rest) = present {
        present = rest.next_sibling();
        old.remove_child(&rest)?;
    }
    Ok(())
}

/// The first of `from` and its following siblings that stands for the same thing as `wanted`.
fn find(from: Option<&Node>, wanted: &Node) -> Option<Node> {
    let wanted = key(wanted);
    let mut node = from.cloned();
    while let Some(candidate) = node {
        if key(&candidate) == wanted {
            return Some(candidate);
        }
        node = candidate.next_sibling();
    }
    None
}

/// What a node stands for among its siblings.
fn key(node: &Node) -> String {
    let mut key = node.node_name();
    if let Some(element) = node.dyn_ref::<Element>() {
        for name in ["id", "data-part", "data-act", "data-value"] {
            key.push(' ');
            key.push_str(&element.get_attribute(name).unwrap_or_default());
        }
    }
    key
}

/// Makes a node like another one of the same kind.
fn update(old: &Node, new: &Node) -> Result<(), JsValue> {
    if old.is_equal_node(Some(new)) {
        return Ok(());
    }
    let (Some(element), Some(like)) = (old.dyn_ref::<Element>(), new.dyn_ref::<Element>()) else {
        old.set_node_value(new.node_value().as_deref());
        return Ok(());
    };
    for name in element.get_attribute_names().iter().filter_map(|name| name.as_string()) {
        if !like.has_attribute(&name) {
            element.remove_attribute(&name)?;
        }
    }
    for name in like.get_attribute_names().iter().filter_map(|name| name.as_string()) {
        let value = like.get_attribute(&name).unwrap_or_default();
        if element.get_attribute(&name).as_ref() != Some(&value) {
            element.set_attribute(&name, &value)?;
        }
    }
    children(old, new)
}

fn place_of(part: &Element, focused: &Element) -> Option<u32> {
    let all = part.query_selector_all(FOCUSABLE).ok()?;
    (0..all.length()).find(|&place| all.item(place).as_ref() == Some(focused))
}

/// An element that was moved has lost the focus; where it is gone, the one now in its place gets it.
fn refocus(part: &Element, focused: &Element, place: u32) -> Result<(), JsValue> {
    if focused.matches(":focus")? {
        return Ok(());
    }
    let all = part.query_selector_all(FOCUSABLE)?;
    let heir = if focused.is_connected() {
        Some(focused.clone())
    } else {
        all.item(place.min(all.length().saturating_sub(1))).and_then(|node| node.dyn_into().ok())
    };
    let heir = match heir {
        Some(heir) => heir,
        None => {
            part.set_attribute("tabindex", "-1")?;
            part.clone()
        }
    };
    match heir.dyn_ref::<HtmlElement>() {
        Some(heir) => heir.focus(),
        None => Ok(()),
    }
}
