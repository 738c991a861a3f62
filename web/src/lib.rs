//! What the page and its worker share: the settings in the address, the messages between them, and the state
//! that the page shows.
//!
//! # The page's state
//!
//! The `<body>` carries what the page is doing as attributes, for style sheets, scripts and tests:
//!
//! | attribute | values |
//! |---|---|
//! | `data-state` | `loading`, `ready`, `training`, `paused`, `done`, `error` |
//! | `data-engine` | `cpu` or `gpu`, once an engine is chosen |
//! | `data-adapter` | the GPU adapter's name, when `data-engine` is `gpu` |
//! | `data-reason` | why this engine, in a sentence; also shown |
//! | `data-epoch` | epochs finished |
//! | `data-loss` | training loss of the last epoch |
//! | `data-ndcg` | NDCG@50 of the last evaluation |
//! | `data-selftest` | `running`, `passed N`, or `failed: ` and the failures |
//! | `data-error` | the message, when `data-state` is `error` |
//!
//! # The address
//!
//! `?engine=auto|gpu|cpu&seed=N&epochs=N&loss=NAME` preset the controls ([`Settings`]); `autostart=1` starts training
//! as soon as the worker is ready; `selftest=1` first runs the kernels' self-tests on the engine, in the worker.
//! `NAME` is one of [`LOSSES`].
//!
//! # The worker
//!
//! It takes [`Command`]s and answers with [`Report`]s; both travel as JSON text. A worker that has failed is
//! replaced by a new one.

mod message;
mod settings;

pub use message::{Command, Failure, Report};
pub use settings::{EngineChoice, LOSSES, Settings};
