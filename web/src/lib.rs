//! What the page and its workers share: parameters, the messages between them, and the small catalogue that the
//! first lessons look at.
//!
//! # The page's state
//!
//! The container (the `<body>` of the full page) carries what the page is doing as attributes, for style sheets,
//! scripts and tests:
//!
//! | attribute | values |
//! |---|---|
//! | `data-state` | `loading`, `ready`, `training`, `paused`, `done`, `error` |
//! | `data-engine` | `cpu` or `gpu`, once an engine is chosen |
//! | `data-adapter` | the GPU adapter's name, when `data-engine` is `gpu` |
//! | `data-reason` | why this engine, in a sentence; also shown |
//! | `data-epoch` | epochs finished by every sampler of the race |
//! | `data-loss` | training loss of the last epoch, of the first sampler |
//! | `data-ndcg` | NDCG@50 of its last evaluation |
//! | `data-selftest` | `running`, `passed N`, or `failed: ` and the failures |
//! | `data-draws` | fingerprint of the integers that the self-tests draw, the same on every engine |
//! | `data-error` | the message of the last error; gone with the next thing that works |
//!
//! # The address
//!
//! Every parameter of [`Parameters`] may stand in the query or in the fragment, which wins: a share link has the
//! state of the lessons in its fragment too. `autostart=1` plays as soon as the worker is ready; `selftest=1` first
//! runs the kernels' self-tests on the engine, in the worker.
//!
//! # The worker
//!
//! It takes [`Command`]s and answers with [`Report`]s; both travel as JSON text. It works for a few hundredths of a
//! second at a time and then waits to be asked again, so whoever asks decides about pausing and pace. A worker that
//! has failed is replaced by a new one.

#![forbid(unsafe_code)]

mod message;
mod parameters;
pub mod samplers;
pub mod settings;
pub mod text;
pub mod theory;
pub mod toy;
pub mod worker;

pub use message::{
    Closeness, Command, DataView, Failure, FidelityQuestion, Question, RecommendQuestion, Report,
    RunSettings, Source,
};
pub use parameters::{ENGINES, EngineChoice, HIDEABLE, LESSONS, Parameters, SPEEDS, Speed, THEMES, Theme};
