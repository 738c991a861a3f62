//! Addresses: of this page with its state, of files beside it, and of the code that puts it elsewhere.

use wasm_bindgen::prelude::*;
use web::{Failure, Parameters, text};
use web_sys::Url;

use crate::dom;

#[wasm_bindgen]
extern "C" {
    type ImportMeta;
    #[wasm_bindgen(method, getter)]
    fn url(this: &ImportMeta) -> String;
    #[wasm_bindgen(thread_local_v2, js_namespace = import, js_name = meta)]
    static IMPORT_META: ImportMeta;
}

/// The address of a file that was published beside this script. Nothing else decides where scripts come from.
pub fn beside(file: &str) -> String {
    let script = IMPORT_META.with(ImportMeta::url);
    Url::new_with_base(file, &script).map_or_else(|_| file.to_owned(), |url| url.href())
}

/// The address of a data set, relative to the page that shows the lesson.
///
/// # Errors
/// If it is neither http nor https; and where settings come from the page's own address, so that anybody may have
/// written them, if it belongs to another site.
pub fn data_address(data: &str) -> Result<String, Failure> {
    let document = dom::window().and_then(|window| window.document());
    let page = document.as_ref().and_then(|document| document.base_uri().ok().flatten()).unwrap_or_default();
    let refused = |why: &str| {
        Failure::new(
            "data",
            format!("data={data} cannot be used: {why}"),
            "Give the address of a file of this site.",
        )
    };
    let url = Url::new_with_base(data, &page).map_err(|_| refused("it is no address"))?;
    if !matches!(url.protocol().as_str(), "http:" | "https:") {
        return Err(refused("only http and https are read"));
    }
    if is_own_page() && Url::new(&beside("")).is_ok_and(|own| own.origin() != url.origin()) {
        return Err(refused("a link may name files of this site only"));
    }
    Ok(url.href())
}

/// Query and fragment of the page's address, the fragment last.
pub fn page_pairs() -> Vec<(String, String)> {
    let Some(location) = dom::window().map(|window| window.location()) else { return Vec::new() };
    let mut pairs = text::pairs(&location.search().unwrap_or_default());
    pairs.extend(text::pairs(&location.hash().unwrap_or_default()));
    pairs
}

/// The page with a fragment: the full page, wherever the widget stands.
pub fn link(fragment: &str) -> String {
    format!("{}#{fragment}", beside("index.html"))
}

/// Whether this page is one of ours, whose address may change with what it shows.
pub fn is_own_page() -> bool {
    let body = dom::window().and_then(|window| window.document()?.body());
    body.is_some_and(|body| body.has_attribute("data-fastvae"))
}

/// Makes the fragment the page's own, without a step back, so that leaving and coming back shows the same. The query has
/// the same keys as the fragment, and goes.
pub fn replace_fragment(fragment: &str) {
    let Some(window) = dom::window() else { return };
    let path = window.location().pathname().unwrap_or_default();
    let address = if fragment.is_empty() { path } else { format!("{path}#{fragment}") };
    if let Ok(history) = window.history() {
        // Sandboxed pages refuse; the link can still be copied.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address));
    }
}

/// Puts text on the clipboard, where the page may.
pub fn copy(text: &str) {
    if let Some(window) = dom::window() {
        let clipboard = window.navigator().clipboard();
        if !clipboard.is_undefined() {
            let written = clipboard.write_text(text);
            wasm_bindgen_futures::spawn_local(async move {
                // The text is shown too, to be copied by hand.
                let _ = wasm_bindgen_futures::JsFuture::from(written).await;
            });
        }
    }
}

/// What a course page pastes to show one lesson.
pub fn embed_code(lesson: &str, parameters: &Parameters) -> String {
    let attributes: String = parameters
        .pairs()
        .into_iter()
        .filter(|(key, _)| *key != "lesson")
        .map(|(key, value)| format!(" {key}=\"{}\"", text::escape(&value)))
        .collect();
    let query: String = parameters
        .pairs()
        .into_iter()
        .filter(|(key, _)| *key != "lesson")
        .map(|(key, value)| format!("&amp;{key}={}", text::encode(&value)))
        .collect();
    format!(
        "<script type=\"module\" src=\"{}\"></script>\n<fast-vae lesson=\"{lesson}\"{attributes}></fast-vae>\n\n\
         <!-- where scripts are not allowed -->\n\
         <iframe src=\"{}?lesson={lesson}{query}\" loading=\"lazy\" title=\"FastVAE: {lesson}\" \
         style=\"width: 100%; height: 44rem; border: 0\"></iframe>\n",
        beside("embed.js"),
        beside("embed.html"),
    )
}

/// Saves text as a file.
pub fn download(name: &str, kind: &str, content: &JsValue) -> Result<(), JsValue> {
    let document = dom::window().and_then(|window| window.document()).ok_or("no document")?;
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(kind);
    let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&js_sys::Array::of1(content), &options)?;
    let address = Url::create_object_url_with_blob(&blob)?;
    let anchor: web_sys::HtmlAnchorElement = document.create_element("a")?.dyn_into()?;
    anchor.set_href(&address);
    anchor.set_download(name);
    anchor.click();
    // The browser has taken what it needs by then.
    dom::later(10_000, move || {
        let _ = Url::revoke_object_url(&address);
    });
    Ok(())
}

/// Saves text as a file; a browser that refuses says so itself.
pub fn save(name: &str, kind: &str, text: &str) {
    let bytes = js_sys::Uint8Array::from(text.as_bytes());
    let _ = download(name, kind, &bytes);
}
