//! 8. For teachers: the code that puts a lesson into a course page, what to hide, tasks, and a page to print.

use web::{
    HIDEABLE, LESSONS, Parameters,
    text::{encode, escape},
};

use super::{Context, Lesson, Pace};
use crate::{
    dom::{self, Act, Kind, options},
    share,
};

/// A task for students: the lesson, the question, and what to look for.
const TASKS: [(&str, &str, &str); 7] = [
    (
        "softmax",
        "At how many films do the scores of one step no longer fit into the largest buffer that a browser gives?",
        "256 viewers × 4 bytes × N = 128 MiB gives N = 131,072.",
    ),
    (
        "importance",
        "With the uniform proposal, how does the spread of ln Z change when you draw four times as many? And when you make \
         the taste stronger?",
        "It halves, as 1/√n says, once n is large; a stronger taste makes the softmax more uneven and the spread wider.",
    ),
    (
        "importance",
        "Draw a proposal by hand that leaves one likely film out. What do the estimates do, with and without ln q?",
        "With ln q they are right on average but mostly too low, with rare high ones; without it they are wrong for good.",
    ),
    (
        "midx",
        "Find an empty cell. Why can the second stage never choose it?",
        "Its weight ω is zero, so P(k₂ | k₁) is zero.",
    ),
    (
        "midx",
        "Compare the three variants of the last stage. For which do proposal and softmax agree inside every cell?",
        "For the residual variant, which is exact by theorem 4.1.",
    ),
    (
        "fidelity",
        "Double K until the divergence of MIDX uniform halves. How far is the bound from it?",
        "The bound takes the longest residual for all films; it is safe, and loose.",
    ),
    (
        "race",
        "Order the samplers by NDCG after equal epochs, then after equal seconds. What changes, and what would change with \
         a thousand times as many films?",
        "The full softmax is best by epochs and pays by the film; lesson 6 shows its slope.",
    ),
];

pub struct Teacher {
    lesson: String,
    hidden: Vec<String>,
    fixed_seed: bool,
    answers: bool,
}

impl Teacher {
    pub fn new(_: &Parameters) -> Self {
        Self { lesson: "midx".into(), hidden: Vec::new(), fixed_seed: true, answers: false }
    }

    fn chosen(&self, parameters: &Parameters) -> Parameters {
        let mut chosen = parameters.clone();
        chosen.hide.clone_from(&self.hidden);
        chosen.lesson = Some(self.lesson.clone());
        if !self.fixed_seed {
            // Written in links where it is not the default only.
            let _ = chosen.set("seed", "");
        }
        chosen
    }

    fn link(&self, parameters: &Parameters) -> String {
        let pairs = self.chosen(parameters).pairs();
        let query: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
        share::beside(&format!("embed.html?{}", query.join("&")))
    }
}

impl Lesson for Teacher {
    fn name(&self) -> &'static str {
        "teacher"
    }

    fn title(&self) -> &'static str {
        "For teachers"
    }

    fn html(&self, parameters: &Parameters) -> String {
        let boxes: String = HIDEABLE
            .iter()
            .map(|part| format!("<label><input type=\"checkbox\" data-act=\"hide-{part}\" data-part=\"teacher-hide-{part}\"> {part}</label>"))
            .collect();
        let lessons = LESSONS.iter().filter(|name| **name != "teacher").map(|name| (*name, *name));
        let text = if parameters.shows("text") {
            "<p>Every part of this page is a widget. Choose what it shows, set parameters with the controls above, and paste \
             one line into a course page: the attributes keep what you set. The seed makes all students see the same draws, \
             whatever machine they use.</p>"
        } else {
            ""
        };
        format!(
            "{text}<div class=\"figure\"><div class=\"controls\"><label>Lesson <select data-act=\"lesson\" data-part=\"teacher-lesson\">{}</select></label>\
             <fieldset><legend>Hide</legend>{boxes}</fieldset>\
             <label><input type=\"checkbox\" data-act=\"fixed\" data-part=\"teacher-fixed\"{}> keep the seed</label></div>\
             <label class=\"stack\">To paste<textarea data-part=\"teacher-code\" rows=\"8\" readonly></textarea></label>\
             <div class=\"controls\"><button type=\"button\" data-act=\"copy\">Copy</button>\
             <span class=\"note\" data-part=\"teacher-copied\" role=\"status\"></span>\
             <a data-part=\"teacher-link\" href=\"#\" target=\"_blank\" rel=\"noopener\">Open the widget by itself</a></div></div>\
             <h3>Tasks</h3><div class=\"controls\"><label><input type=\"checkbox\" data-act=\"answers\" data-part=\"teacher-answers\"> show what to look for</label>\
             <button type=\"button\" data-act=\"print\">Print tasks and figures</button></div><ol data-part=\"teacher-tasks\" class=\"tasks\"></ol>",
            options(lessons, &self.lesson),
            if self.fixed_seed { " checked" } else { "" }
        )
    }

    fn draw(&mut self, context: &mut Context<'_>) {
        let page = context.page;
        page.fill("teacher-copied", "");
        page.set_value("teacher-lesson", &self.lesson);
        let ticked = |on: bool| if on { "1" } else { "0" };
        for part in HIDEABLE {
            let hidden = self.hidden.iter().any(|known| known == part);
            page.set_value(&format!("teacher-hide-{part}"), ticked(hidden));
        }
        page.set_value("teacher-fixed", ticked(self.fixed_seed));
        page.set_value("teacher-answers", ticked(self.answers));
        let chosen = self.chosen(context.parameters);
        page.set_value("teacher-code", &share::embed_code(&self.lesson, &chosen));
        page.attribute("teacher-link", "href", &self.link(context.parameters));
        let tasks: String = TASKS
            .iter()
            .map(|(lesson, task, answer)| {
                let answer = if self.answers {
                    format!("<p class=\"note\">{}</p>", escape(answer))
                } else {
                    String::new()
                };
                format!("<li><b>{lesson}</b> {}{answer}</li>", escape(task))
            })
            .collect();
        page.fill("teacher-tasks", tasks);
    }

    fn act(&mut self, context: &mut Context<'_>, act: &Act) {
        match (act.name.as_str(), act.kind) {
            ("lesson", Kind::Change) if LESSONS.contains(&act.value.as_str()) => {
                self.lesson.clone_from(&act.value)
            }
            ("fixed", Kind::Change) => self.fixed_seed = act.value == "1",
            ("answers", Kind::Change) => self.answers = act.value == "1",
            ("copy", Kind::Click) => {
                share::copy(&share::embed_code(&self.lesson, &self.chosen(context.parameters)));
                return context.page.fill("teacher-copied", "It is on the clipboard.");
            }
            ("print", Kind::Click) => {
                if let Some(window) = dom::window() {
                    // A sandboxed frame refuses; the browser's own menu still prints.
                    let _ = window.print();
                }
            }
            (name, Kind::Change) => {
                if let Some(part) = name.strip_prefix("hide-") {
                    self.hidden.retain(|known| known != part);
                    if act.value == "1" {
                        self.hidden.push(part.into());
                    }
                }
            }
            _ => return,
        }
        self.draw(context);
    }

    fn step(&mut self, _: &mut Context<'_>, _: Pace) {}

    fn reset(&mut self, context: &mut Context<'_>) {
        *self = Self::new(context.parameters);
        self.draw(context);
    }

    fn parameters(&mut self, _: &mut Context<'_>, _: &[&str]) {}

    fn state(&self) -> Vec<(&'static str, String)> {
        let start = Self::new(&Parameters::default());
        let mut state = Vec::new();
        if self.lesson != start.lesson {
            state.push(("lesson", self.lesson.clone()));
        }
        if !self.hidden.is_empty() {
            state.push(("hide", self.hidden.join(",")));
        }
        for (key, value, standard) in
            [("fixed", self.fixed_seed, start.fixed_seed), ("answers", self.answers, start.answers)]
        {
            if value != standard {
                state.push((key, u8::from(value).to_string()));
            }
        }
        state
    }

    fn restore(&mut self, key: &str, value: &str) {
        match key {
            "lesson" if LESSONS.contains(&value) => self.lesson = value.into(),
            "hide" => {
                let known = |part: &&str| HIDEABLE.contains(part);
                self.hidden = value.split(',').filter(known).map(str::to_owned).collect();
            }
            "fixed" => self.fixed_seed = value == "1",
            "answers" => self.answers = value == "1",
            _ => {}
        }
    }

    fn steps(&self) -> bool {
        false
    }

    fn finished(&self) -> bool {
        true
    }
}
