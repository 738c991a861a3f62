//! No loaded value ends a loop with a barrier, or a round of it: as far as a compiler can see, such a loop may end
//! differently for each invocation, and FXC, the older of the compilers of DirectX 12, refuses it.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping it")]

use naga::{AddressSpace, Block, Expression, Function, Handle, LocalVariable, Module, Statement};
use std::collections::HashSet;

/// What of a function is computed from loaded values.
struct Loaded<'m> {
    module: &'m Module,
    function: &'m Function,
    /// Local variables that such values, or branches on them, decide.
    variables: HashSet<Handle<LocalVariable>>,
    /// Whether the arguments count as loaded: those of an entry point do not.
    arguments: bool,
}

impl<'m> Loaded<'m> {
    fn of(module: &'m Module, function: &'m Function, arguments: bool) -> Self {
        let mut loaded = Self { module, function, variables: HashSet::new(), arguments };
        loop {
            let before = loaded.variables.len();
            loaded.spread(&function.body, false);
            if loaded.variables.len() == before {
                return loaded;
            }
        }
    }

    fn is(&self, expression: Handle<Expression>) -> bool {
        let any = |parts: &[Handle<Expression>]| parts.iter().any(|&part| self.is(part));
        match &self.function.expressions[expression] {
            Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => false,
            Expression::Compose { components, .. } => any(components),
            Expression::Access { base, index } => any(&[*base, *index]),
            Expression::AccessIndex { base: part, .. }
            | Expression::Splat { value: part, .. }
            | Expression::Swizzle { vector: part, .. }
            | Expression::Unary { expr: part, .. }
            | Expression::Relational { argument: part, .. }
            | Expression::As { expr: part, .. }
            | Expression::Load { pointer: part } => self.is(*part),
            Expression::Binary { left, right, .. } => any(&[*left, *right]),
            Expression::Select { condition, accept, reject } => any(&[*condition, *accept, *reject]),
            Expression::Math { arg, arg1, arg2, arg3, .. } => {
                self.is(*arg) || [arg1, arg2, arg3].into_iter().flatten().any(|&part| self.is(part))
            }
            Expression::FunctionArgument(_) => self.arguments,
            Expression::GlobalVariable(variable) => matches!(
                self.module.global_variables[*variable].space,
                AddressSpace::Storage { .. } | AddressSpace::WorkGroup
            ),
            Expression::LocalVariable(variable) => self.variables.contains(variable),
            Expression::CallResult(called) => {
                let called = &self.module.functions[*called];
                // Of its arguments, or of what it loads itself.
                let given = called.expressions.iter().any(|(_, e)| {
                    matches!(e, Expression::GlobalVariable(v)
                    if !matches!(self.module.global_variables[*v].space, AddressSpace::Uniform))
                });
                given || self.given_to(called).into_iter().any(|argument| self.is(argument))
            }
            // Results of atomics and of workgroupUniformLoad, and whatever the shaders do not use yet.
            _ => true,
        }
    }

    /// The arguments of all calls of a function.
    fn given_to(&self, called: &Function) -> Vec<Handle<Expression>> {
        let mut given = Vec::new();
        each(&self.function.body, &mut |statement| {
            if let Statement::Call { function, arguments, .. } = statement
                && std::ptr::eq(&self.module.functions[*function], called)
            {
                given.extend(arguments);
            }
        });
        given
    }

    /// Finds the variables that are stored from loaded values or under branches on them.
    fn spread(&mut self, block: &Block, branch: bool) {
        for statement in block {
            if let Statement::Store { pointer, value } = statement {
                let mut root = *pointer;
                while let Expression::Access { base, .. } | Expression::AccessIndex { base, .. } =
                    self.function.expressions[root]
                {
                    root = base;
                }
                if let Expression::LocalVariable(variable) = self.function.expressions[root]
                    && (branch || self.is(*value))
                {
                    self.variables.insert(variable);
                }
            }
            let branch = branch || condition(statement).is_some_and(|condition| self.is(condition));
            for block in inside(statement) {
                self.spread(block, branch);
            }
        }
    }

    /// Whether a loaded value decides if a `break`, `continue` or `return` in the block is reached.
    fn may_end(&self, block: &Block, branch: bool, nested: bool) -> bool {
        block.iter().any(|statement| match statement {
            Statement::Break | Statement::Continue => branch && !nested,
            Statement::Return { .. } => branch,
            _ => {
                let branch = branch || condition(statement).is_some_and(|condition| self.is(condition));
                let nested = nested || matches!(statement, Statement::Loop { .. } | Statement::Switch { .. });
                inside(statement).into_iter().any(|block| self.may_end(block, branch, nested))
            }
        })
    }
}

fn condition(statement: &Statement) -> Option<Handle<Expression>> {
    match statement {
        Statement::If { condition, .. } | Statement::Switch { selector: condition, .. } => Some(*condition),
        _ => None,
    }
}

fn inside(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(block) => vec![block],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => Vec::new(),
    }
}

/// Visits all statements of a block, also inside of others.
fn each<'b>(block: &'b Block, visit: &mut impl FnMut(&'b Statement)) {
    for statement in block {
        visit(statement);
        inside(statement).into_iter().for_each(|block| each(block, visit));
    }
}

fn has_barrier(module: &Module, block: &Block) -> bool {
    let mut found = false;
    each(block, &mut |statement| {
        found |= match statement {
            Statement::ControlBarrier(_) | Statement::WorkGroupUniformLoad { .. } => true,
            Statement::Call { function, .. } => has_barrier(module, &module.functions[*function].body),
            _ => false,
        }
    });
    found
}

/// How many loops with a barrier a loaded value may end.
fn offences(source: &str) -> usize {
    let module = naga::front::wgsl::parse_str(source).unwrap();
    let entries = module.entry_points.iter().map(|entry| (&entry.function, false));
    let functions = module.functions.iter().map(|(_, function)| (function, true));
    let mut count = 0;
    for (function, arguments) in entries.chain(functions) {
        let loaded = Loaded::of(&module, function, arguments);
        each(&function.body, &mut |statement| {
            let Statement::Loop { body, continuing, break_if } = statement else { return };
            let blocks = [body, continuing];
            let ends = break_if.is_some_and(|condition| loaded.is(condition))
                || blocks.iter().any(|block| loaded.may_end(block, false, false));
            count += usize::from(ends && blocks.iter().any(|block| has_barrier(&module, block)));
        });
    }
    count
}

#[test]
fn no_loaded_value_ends_a_loop_with_a_barrier() {
    let offenders: Vec<&str> = fastvae_shaders::ALL
        .iter()
        .filter(|shader| offences(shader.source) > 0)
        .map(|shader| shader.name)
        .collect();
    assert!(offenders.is_empty(), "{offenders:?}");
}

#[test]
fn such_loops_are_found() {
    let shader = |body: &str| {
        format!(
            "@group(0) @binding(0) var<uniform> count: u32;
             @group(0) @binding(1) var<storage, read> input: array<u32>;
             var<workgroup> shared_end: u32;
             fn wait() {{ workgroupBarrier(); }}
             @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) local: u32) {{ {body} }}"
        )
    };
    for (body, count) in [
        ("for (var i = 0u; i < count; i++) { workgroupBarrier(); }", 0),
        ("for (var i = 0u; i < input[0]; i++) { workgroupBarrier(); }", 1),
        ("let end = input[0] + 1u; for (var i = 0u; i < end; i++) { wait(); }", 1),
        ("for (var i = 0u; i < input[0]; i++) { } workgroupBarrier();", 0),
        ("for (var i = 0u; i < 8u; i++) { for (var j = 0u; j < input[i]; j++) { } wait(); }", 0),
        ("for (var i = 0u; i < 8u; i++) { if workgroupUniformLoad(&shared_end) == i { break; } }", 1),
        ("var done = false; while !done { wait(); if input[0] == 1u { done = true; } }", 1),
        ("for (var i = 0u; i < 8u; i++) { wait(); if input[i] == 0u { continue; } }", 1),
        ("for (var i = 0u; i < 8u; i++) { wait(); if input[i] == 0u { shared_end = i; } }", 0),
    ] {
        assert_eq!(offences(&shader(body)), count, "{body}");
    }
}
