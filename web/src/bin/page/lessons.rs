//! The parts of the lesson.

mod data;
mod fidelity;
mod importance;
mod midx;
mod race;
mod recommend;
mod scale;
mod softmax;
mod systems;
mod teacher;

use web::{Command, Failure, Parameters, Report};

use crate::dom::{Act, Page};

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The smallest thing that can be shown by itself.
    Part,
    /// A whole step.
    Step,
}

/// What a lesson may use while it does something.
pub struct Context<'a> {
    pub page: &'a Page,
    pub parameters: &'a mut Parameters,
    /// Whether the play button is down.
    pub playing: &'a mut bool,
    /// Sent to the worker afterwards.
    pub commands: &'a mut Vec<Command>,
    /// Sent to the worker of other systems afterwards.
    pub to_systems: &'a mut Vec<Command>,
    /// Told to the host afterwards: name and detail, as JSON.
    pub events: &'a mut Vec<(&'static str, serde_json::Value)>,
    /// Something that went wrong and can be put right.
    pub failure: &'a mut Option<Failure>,
}

impl Context<'_> {
    /// Asks the worker.
    pub fn ask(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Asks the worker of other systems, which is loaded for the first question.
    pub fn ask_systems(&mut self, command: Command) {
        self.to_systems.push(command);
    }

    /// Tells the host.
    pub fn tell(&mut self, event: &'static str, detail: serde_json::Value) {
        self.events.push((event, detail));
    }

    /// Says something about progress in the container's attributes.
    pub fn mark(&self, name: &str, value: &str) {
        // Fails only for names that are not attributes.
        let _ = self.page.root.set_attribute(&format!("data-{name}"), value);
    }
}

/// One part of the lesson: its markup, and what it does.
pub trait Lesson {
    /// Its name in addresses.
    fn name(&self) -> &'static str;

    /// The heading.
    fn title(&self) -> &'static str;

    /// The markup, written once.
    fn html(&self, parameters: &Parameters) -> String;

    /// Draws everything anew: at first, after parameters changed, and when there is more or less room.
    fn draw(&mut self, context: &mut Context<'_>);

    /// Somebody did something.
    fn act(&mut self, context: &mut Context<'_>, act: &Act);

    /// Goes on. What takes the worker's time ends with an answer; [`Lesson::busy`] until then.
    fn step(&mut self, context: &mut Context<'_>, pace: Pace);

    /// Back to the beginning.
    fn reset(&mut self, context: &mut Context<'_>);

    /// Parameters have changed; `keys` are the names of those.
    fn parameters(&mut self, context: &mut Context<'_>, keys: &[&str]);

    /// The worker says something. Everyone hears everything.
    fn report(&mut self, _context: &mut Context<'_>, _report: &Report) {}

    /// The worker of other systems is gone, and all that it held.
    fn systems_gone(&mut self) {}

    /// Whether it goes on by steps at all.
    fn steps(&self) -> bool {
        true
    }

    /// Whether a step is under way.
    fn busy(&self) -> bool {
        false
    }

    /// Whether there is nothing left to step through.
    fn finished(&self) -> bool {
        false
    }

    /// What a share link has to say beyond the parameters: key and value.
    fn state(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Takes back what [`Lesson::state`] said.
    fn restore(&mut self, _key: &str, _value: &str) {}
}

/// All of them in order.
pub fn all(parameters: &Parameters) -> Vec<Box<dyn Lesson>> {
    vec![
        Box::new(softmax::Softmax::new(parameters)),
        Box::new(importance::Importance::new(parameters)),
        Box::new(midx::Midx::new(parameters)),
        Box::new(fidelity::Fidelity::new(parameters)),
        Box::new(race::Race::new(parameters)),
        Box::new(scale::Scale::new(parameters)),
        Box::new(recommend::Recommend::new(parameters)),
        Box::new(teacher::Teacher::new(parameters)),
    ]
}
