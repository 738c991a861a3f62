//! Systems other than the network: what they recommend for the same films.

use std::fmt::Write;

use fastvae::event::Event;
use web::{
    Command, RecommendQuestion, Report,
    text::{digits, escape},
};

use super::{Context, data::Data};

/// A system: the name of its model, what it is called, and what it does.
struct System {
    model: &'static str,
    title: &'static str,
    what: &'static str,
}

const SYSTEMS: [System; 3] = [
    System { model: "popularity", title: "Popularity", what: "the same list for everybody" },
    System {
        model: "bpr",
        title: "BPR",
        what: "a vector for each viewer and film, learned from pairs of films",
    },
    System { model: "ials", title: "iALS", what: "the same vectors, by least squares over all films" },
];
/// Films of a list.
const PLACES: u32 = 10;

/// What is known of one system.
#[derive(Default)]
struct Known {
    /// NDCG@50 on the validation viewers, and the seconds of the fit.
    fitted: Option<(Option<f64>, f64)>,
    /// Its list for the films that are marked.
    items: Vec<(u32, f32)>,
}

/// The systems as a lesson shows them.
#[derive(Default)]
pub struct Systems {
    /// Whether they are shown.
    open: bool,
    known: [Known; SYSTEMS.len()],
    asked: bool,
}

impl Systems {
    /// The markup.
    pub fn html() -> &'static str {
        "<div class=\"systems\"><div class=\"controls\">\
         <button type=\"button\" data-act=\"systems\" data-part=\"systems-open\" aria-expanded=\"false\">Compare with other systems</button>\
         <span class=\"note\">fitted here, to the same viewers; which of them will list what everybody watches?</span></div>\
         <p class=\"note\" role=\"status\" data-part=\"systems-note\"></p><div class=\"thirds\" data-part=\"systems-lists\"></div></div>"
    }

    /// Whether they are shown.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Shows them, or hides them again.
    pub fn toggle(&mut self) {
        self.open = !self.open;
    }

    /// What was known is of another set, or of a worker that is gone.
    pub fn forget(&mut self) {
        *self = Self { open: self.open, ..Self::default() };
    }

    /// Asks for their lists, after the fits if these were not asked for yet.
    pub fn ask(&mut self, context: &mut Context<'_>, liked: &[u32]) {
        if !self.open {
            return;
        }
        for (system, known) in SYSTEMS.iter().zip(&mut self.known) {
            if !self.asked {
                context.ask_systems(Command::Advance {
                    group: system.model.into(),
                    milliseconds: u32::MAX,
                    single: false,
                });
            }
            if liked.is_empty() {
                known.items.clear();
                continue;
            }
            context.ask_systems(Command::Recommend(RecommendQuestion {
                to: system.model.into(),
                group: system.model.into(),
                run: 0,
                epoch: None,
                liked: liked.to_vec(),
                count: PLACES,
            }));
        }
        self.asked = true;
    }

    /// Hears what their worker says; whether it was about them.
    pub fn report(&mut self, report: &Report) -> bool {
        let place = |name: &str| SYSTEMS.iter().position(|system| system.model == name);
        match report {
            Report::Progress { group, events, .. } => {
                let Some(place) = place(group) else { return false };
                for (_, event) in events {
                    if let Event::Evaluated { metrics, seconds, .. } = event {
                        self.known[place].fitted = Some((metrics.get("ndcg@50").copied(), *seconds));
                    }
                }
                true
            }
            Report::Recommended { to, items, .. } => {
                let Some(place) = place(to) else { return false };
                self.known[place].items.clone_from(items);
                true
            }
            _ => false,
        }
    }

    /// Draws their lists beside `own`, the list of the network.
    pub fn draw(&self, context: &Context<'_>, data: &Data, own: &[(u32, f32)]) {
        let page = context.page;
        page.attribute("systems-open", "aria-expanded", if self.open { "true" } else { "false" });
        page.show("systems-lists", self.open);
        page.show("systems-note", self.open);
        if !self.open {
            return;
        }
        let waits: Vec<&str> = SYSTEMS
            .iter()
            .zip(&self.known)
            .filter(|(_, known)| known.fitted.is_none())
            .map(|(system, _)| system.title)
            .collect();
        let note = match waits[..] {
            [] if self.known.iter().all(|known| known.items.is_empty()) => "Mark a film above.".into(),
            [] => "A film that is in FastVAE's list too has its place there after it.".into(),
            _ => format!("Still to be fitted: {}.", waits.join(", ")),
        };
        page.fill("systems-note", note);
        let lists: String =
            SYSTEMS.iter().zip(&self.known).map(|(system, known)| list(system, known, data, own)).collect();
        page.fill("systems-lists", lists);
    }
}

fn list(system: &System, known: &Known, data: &Data, own: &[(u32, f32)]) -> String {
    let fitted = match known.fitted {
        Some((ndcg, seconds)) => {
            format!("NDCG@50 {}, fitted in {} s", ndcg.map_or("–".into(), digits), digits(seconds))
        }
        None => "…".into(),
    };
    let mut html = format!(
        "<div><h3>{}</h3><p class=\"note\">{}; {fitted}</p><ol class=\"places\">",
        system.title, system.what
    );
    let mut shared = 0;
    for (item, _) in &known.items {
        let place = own.iter().position(|(other, _)| other == item);
        shared += usize::from(place.is_some());
        let place = place.map_or(String::new(), |place| format!(" · {} in FastVAE's", place + 1));
        let _ = write!(
            html,
            "<li>{} <span class=\"note\">{}{place}</span></li>",
            escape(&data.title(*item)),
            escape(data.genres(*item))
        );
    }
    html += "</ol>";
    if !known.items.is_empty() && !own.is_empty() {
        let _ = write!(
            html,
            "<p class=\"note\">{shared} of {} are among FastVAE's {}.</p>",
            known.items.len(),
            own.len()
        );
    }
    html + "</div>"
}
