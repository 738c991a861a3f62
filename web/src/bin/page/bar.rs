//! The frame of the page: settings in a bar that stays in view, and sections with the controls of their lesson.

use web::{ENGINES, Parameters, SPEEDS, THEMES, settings::Field, text::escape};

use crate::{
    dom::{Page, options},
    lessons::Lesson,
};

const PLAY: &str = "M3 2l10 6-10 6z";
const PAUSE: &str = "M3 2h4v12H3zM9 2h4v12H9z";
const STEP: &str = "M2 2l7 6-7 6zM11 2h3v12h-3z";
const PART: &str = "M3 8a2.5 2.5 0 1 1 5 0 2.5 2.5 0 0 1-5 0zM11 2h2v12h-2z";
const RESET: &str = "M8 3a5 5 0 1 1-4.8 3.6l1.9.6A3 3 0 1 0 8 5v2.5L4 4l4-3.5z";

fn icon(path: &str) -> String {
    format!("<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>")
}

/// The whole surface.
pub fn surface(parameters: &Parameters, lessons: &[Box<dyn Lesson>]) -> String {
    let full = parameters.lesson.is_none();
    let mut html = String::new();
    if full {
        html.push_str(HERO);
    }
    if parameters.shows("bar") {
        html.push_str(&bar(parameters));
    }
    html.push_str(
        "<div class=\"error\" data-part=\"error\" role=\"alert\" hidden><span data-part=\"error-text\"></span></div>",
    );
    html.push_str(SHARE);
    if full {
        html.push_str(&contents(lessons));
    }
    html.push_str("<main>");
    for (index, lesson) in lessons.iter().enumerate() {
        let name = lesson.name();
        let number =
            if full { format!("<span class=\"number\">{}</span>", index + 1) } else { String::new() };
        let controls = if parameters.shows("bar") && lesson.steps() {
            controls(name, lesson.title())
        } else {
            String::new()
        };
        html.push_str(&format!(
            "<section data-lesson=\"{name}\" data-part=\"section-{name}\" aria-labelledby=\"fv-{name}\">\
             <h2 id=\"fv-{name}\">{number}{}</h2>{}{controls}</section>",
            escape(lesson.title()),
            lesson.html(parameters)
        ));
    }
    html.push_str("</main><p class=\"tested\" data-part=\"tested\" role=\"status\"></p>");
    if full {
        html.push_str(FOOTER);
    }
    html
}

const HERO: &str = "<header class=\"hero\"><h1>Training a recommender without paying for every film</h1>\
    <p class=\"lead\">A recommender asks of every film how well it fits. With a million films, the question alone is \
    too dear to ask at every step. Here you see how a few well-chosen films can stand for all of them: sampled \
    softmax, importance weights, and the <em>inverted multi-index</em> of FastVAE. Everything runs in this page, on \
    your machine; nothing leaves it.</p></header>";

const FOOTER: &str = "<footer><p>The method: <cite>Fast Variational AutoEncoder with Inverted Multi-Index for \
    Collaborative Filtering</cite>, WWW 2022. Films and viewers are made up unless you bring your own.</p></footer>";

const SHARE: &str = "<div class=\"share\" data-part=\"share-panel\" hidden><p data-part=\"share-title\" role=\"status\"></p>\
    <textarea data-part=\"share-text\" readonly rows=\"4\" aria-label=\"To copy\"></textarea></div>";

fn contents(lessons: &[Box<dyn Lesson>]) -> String {
    let entries: String = lessons
        .iter()
        .map(|lesson| {
            format!(
                "<li><a href=\"#\" data-act=\"goto\" data-value=\"{}\">{}</a></li>",
                lesson.name(),
                escape(lesson.title())
            )
        })
        .collect();
    format!("<nav class=\"contents\" aria-label=\"Parts of the lesson\"><ol>{entries}</ol></nav>")
}

/// What drives a lesson: it stays at the lower edge of the window while the lesson is in view.
fn controls(lesson: &str, title: &str) -> String {
    let button = |act: &str, path: &str, name: &str| {
        format!(
            "<button type=\"button\" class=\"small\" data-act=\"{act}\" data-part=\"{act}-{lesson}\" title=\"{name}\" \
             aria-label=\"{name}\">{}</button>",
            icon(path)
        )
    };
    format!(
        "<div class=\"steer\" role=\"toolbar\" aria-label=\"Controls of: {}\">\
         <button type=\"button\" class=\"go\" data-act=\"play\" data-part=\"play-{lesson}\">{}<span>Play</span></button>\
         {}{}{}</div>",
        escape(title),
        icon(PLAY),
        button("part", PART, "Part of a step"),
        button("step", STEP, "Step"),
        button("reset", RESET, "Start over"),
    )
}

fn bar(parameters: &Parameters) -> String {
    let mut html = String::from(
        "<div class=\"bar\" data-part=\"bar\" role=\"toolbar\" aria-label=\"Settings\"><div class=\"told\">\
         <span class=\"current\" data-part=\"current\"></span><span class=\"badge\"><b data-part=\"badge-name\">Engine</b> \
         <span data-part=\"badge-reason\">loading</span></span>\
         <span class=\"status\" data-part=\"status\" role=\"status\"></span>\
         <button type=\"button\" class=\"more\" data-act=\"settings\" data-part=\"more\" aria-expanded=\"false\">Settings</button>\
         </div><div class=\"group settings\">",
    );
    if parameters.shows("speed") {
        html.push_str(&format!(
            "<label>Speed <select data-act=\"speed\" data-part=\"speed\">{}</select></label>",
            options(SPEEDS.iter().map(|(name, _)| (*name, *name)), parameters.speed.name())
        ));
    }
    if let Some(field) = Field::find("seed").filter(|_| parameters.shows("seed")) {
        html.push_str(&field.html("", &parameters.settings));
    }
    let engines = [("auto", "automatic"), ("gpu", "WebGPU"), ("cpu", "CPU")];
    debug_assert_eq!(engines.len(), ENGINES.len());
    html.push_str(&format!(
        "<label>Engine <select data-act=\"engine\" data-part=\"engine\">{}</select></label>",
        options(engines, parameters.engine.name())
    ));
    if parameters.lesson.is_none() {
        html.push_str(&format!(
            "<label>Theme <select data-act=\"theme\" data-part=\"theme\">{}</select></label>",
            options(THEMES.iter().map(|(name, _)| (*name, *name)), parameters.theme.name())
        ));
    }
    if parameters.shows("share") {
        html.push_str(
            "<button type=\"button\" data-act=\"share\">Link</button>\
             <button type=\"button\" data-act=\"embed\">Embed</button>",
        );
    }
    html + "</div></div>"
}

/// The bar and the controls, as things stand; `playing` is the lesson that does.
pub fn refresh(
    page: &Page,
    parameters: &Parameters,
    seen: Option<&dyn Lesson>,
    playing: Option<&str>,
    all: &[Box<dyn Lesson>],
) {
    for lesson in all {
        let plays = playing == Some(lesson.name());
        let (path, word) = if plays { (PAUSE, "Pause") } else { (PLAY, "Play") };
        let part = format!("play-{}", lesson.name());
        page.fill(&part, format!("{}<span>{word}</span>", icon(path)));
        page.attribute(&part, "aria-label", &format!("{word}: {}", lesson.title()));
        // Not `disabled`, which would take the focus away from the button that was pressed last.
        let over = if lesson.finished() { "true" } else { "false" };
        for act in ["part", "step"] {
            page.attribute(&format!("{act}-{}", lesson.name()), "aria-disabled", over);
        }
    }
    page.set_value("speed", parameters.speed.name());
    page.set_value("seed", &parameters.seed().to_string());
    page.set_value("engine", parameters.engine.name());
    page.set_value("theme", parameters.theme.name());
    if let Some(lesson) = seen {
        if parameters.lesson.is_none() {
            page.fill("current", escape(lesson.title()));
        }
        // A name of an attribute.
        let _ = page.root.set_attribute("data-current", lesson.name());
    }
}
