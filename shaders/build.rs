//! Expands imports, validates every shader and writes typed Rust for its bindings.
//!
//! Bindings, uniform layouts and workgroup sizes are declared in WGSL only; the Rust code that the other
//! crates need is generated here from naga's module.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use naga::{
    AddressSpace, Module, ScalarKind, StorageAccess, TypeInner,
    valid::{Capabilities, ValidationFlags, Validator},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Limits that every WebGPU implementation offers.
const MAX_STORAGE_BUFFERS: usize = 8;
const MAX_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_BYTES: u32 = 16_384;

fn main() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut paths = fs::read_dir(root)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wgsl"));
    paths.sort();

    let mut code = String::new();
    let mut names = Vec::new();
    let mut fields = String::new();
    for path in &paths {
        let name = path.file_stem().and_then(|stem| stem.to_str()).ok_or("file name is not UTF-8")?;
        let source = expand(path, &mut BTreeSet::new())?;
        let expanded = out.join(name).with_extension("wgsl");
        fs::write(&expanded, compact(&source))?;
        let shader = reflect(name, &source).map_err(|error| format!("{}: {error}", path.display()))?;
        shader.write(&mut code)?;
        let offsets = shader.params.iter().map(|field| (field.name.as_str(), field.offset));
        writeln!(fields, "    ({name:?}, &{:?}),", offsets.collect::<Vec<_>>())?;
        names.push(name.to_owned());
    }
    writeln!(code, "/// Every shader, by name.\npub static ALL: &[&Shader] = &[")?;
    for name in names {
        writeln!(code, "    &{name}::SHADER,")?;
    }
    writeln!(code, "];")?;
    // Apart from the shaders, so that a program that does not ask for the names does not hold them.
    writeln!(code, "/// The fields of each shader's uniform: name and offset in bytes.")?;
    writeln!(code, "pub static FIELDS: &[(&str, &[(&str, u32)])] = &[\n{fields}];")?;
    fs::write(out.join("shaders.rs"), code)?;
    Ok(())
}

/// The text of a file in which each `#import "path"` line is replaced by that file, at its first occurrence.
fn expand(path: &Path, imported: &mut BTreeSet<PathBuf>) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let folder = path.parent().ok_or("shader outside of a folder")?;
    let mut source = String::new();
    for (number, line) in text.lines().enumerate() {
        let Some(import) = line.strip_prefix("#import") else {
            writeln!(source, "{line}")?;
            continue;
        };
        let place = || format!("{}:{}", path.display(), number + 1);
        let target = import
            .trim()
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .ok_or_else(|| format!("{}: write #import \"shared/name.wgsl\"", place()))?;
        let target = folder.join(target);
        if imported.insert(target.clone()) {
            source += &expand(&target, imported).map_err(|error| format!("{}: {error}", place()))?;
        }
    }
    Ok(source)
}

/// The code without comments, indentation, blank lines and spaces around these characters, which took 10 kB of what the
/// page loads. WGSL has no strings, so `//` always begins a comment.
fn compact(source: &str) -> String {
    const CLOSE: [char; 11] = ['{', '}', '(', ')', ',', ';', ':', '=', '+', '*', '/'];
    let code = |line: &str| line.split_once("//").map_or(line, |(code, _)| code).trim().to_owned();
    let lines = source.lines().map(code).filter(|line| !line.is_empty());
    let text: Vec<char> =
        lines.flat_map(|line| [line, "\n".to_owned()]).collect::<String>().chars().collect();
    let near = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|other| CLOSE.contains(other));
    let needed = |at: usize| text[at] != ' ' || !(near(at.checked_sub(1)) || near(Some(at + 1)));
    (0..text.len()).filter(|&at| needed(at)).map(|at| text[at]).collect()
}

/// The scalar types that buffers hold.
#[derive(Clone, Copy, PartialEq)]
enum Element {
    F32,
    U32,
}

struct Field {
    name: String,
    rust: &'static str,
    offset: u32,
}

struct Binding {
    name: String,
    element: Element,
    read_only: bool,
}

struct Shader {
    name: String,
    workgroup_size: [u32; 3],
    params: Vec<Field>,
    params_size: u32,
    bindings: Vec<Binding>,
}

fn reflect(name: &str, source: &str) -> Result<Shader> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|e| e.emit_to_string(source))?;

    let [entry] = module.entry_points.as_slice() else {
        return Err(format!("{} entry points, one wanted", module.entry_points.len()).into());
    };
    if entry.name != "main" || entry.workgroup_size.iter().product::<u32>() > MAX_INVOCATIONS {
        return Err(
            format!("the entry point is to be `main`, with at most {MAX_INVOCATIONS} invocations").into()
        );
    }

    let mut bindings = Vec::new();
    let mut params = None;
    let mut workgroup_bytes = 0;
    for (_, variable) in module.global_variables.iter() {
        let variable_name = variable.name.clone().unwrap_or_default();
        let context = |problem: &str| format!("`{variable_name}`: {problem}");
        match (variable.space, &variable.binding) {
            (AddressSpace::Uniform, Some(binding)) => {
                if (binding.group, binding.binding) != (0, 0) {
                    return Err(context("the uniform belongs at group 0, binding 0").into());
                }
                params = Some(uniform(&module, variable.ty).map_err(|error| context(&error.to_string()))?);
            }
            (AddressSpace::Storage { access }, Some(binding)) => {
                if binding.group != 0 {
                    return Err(context("storage belongs to group 0").into());
                }
                let element = element(&module, variable.ty).ok_or_else(|| {
                    context("storage holds arrays of f32, u32, i32, their vectors or atomics")
                })?;
                let read_only = !access.contains(StorageAccess::STORE);
                bindings.push((binding.binding, Binding { name: variable_name, element, read_only }));
            }
            (AddressSpace::WorkGroup, _) => {
                workgroup_bytes += module.types[variable.ty].inner.size(module.to_ctx()).next_multiple_of(16);
            }
            (AddressSpace::Private, _) => {}
            _ => return Err(context("neither uniform, storage, workgroup nor private").into()),
        }
    }
    if workgroup_bytes > MAX_WORKGROUP_BYTES {
        return Err(
            format!("{workgroup_bytes} bytes of workgroup memory, limit {MAX_WORKGROUP_BYTES}").into()
        );
    }
    bindings.sort_by_key(|(index, _)| *index);
    if bindings.len() > MAX_STORAGE_BUFFERS
        || bindings.iter().enumerate().any(|(i, (index, _))| *index != i as u32 + 1)
    {
        return Err(
            format!("storage bindings count from 1 without gaps, to {MAX_STORAGE_BUFFERS} at most").into()
        );
    }
    let (params, params_size) = params.ok_or("no uniform `params`")?;
    Ok(Shader {
        name: name.to_owned(),
        workgroup_size: entry.workgroup_size,
        params,
        params_size,
        bindings: bindings.into_iter().map(|(_, binding)| binding).collect(),
    })
}

/// Fields and size of the uniform struct.
fn uniform(module: &Module, ty: naga::Handle<naga::Type>) -> Result<(Vec<Field>, u32)> {
    let TypeInner::Struct { members, .. } = &module.types[ty].inner else {
        return Err("the uniform is to be a struct".into());
    };
    let mut fields = Vec::new();
    let mut end = 0;
    for member in members {
        let name = member.name.clone().unwrap_or_default();
        let inner = &module.types[member.ty].inner;
        let rust = match inner {
            TypeInner::Scalar(scalar) => scalar_name(scalar.kind),
            TypeInner::Vector { size: naga::VectorSize::Quad, scalar } => match scalar.kind {
                ScalarKind::Float => Some("[f32; 4]"),
                ScalarKind::Uint => Some("[u32; 4]"),
                _ => None,
            },
            _ => None,
        };
        let rust = rust.ok_or_else(|| format!("field `{name}` is not u32, i32, f32 or a vec4 of them"))?;
        if member.offset != end {
            return Err(format!("hidden padding before `{name}`: put vectors first").into());
        }
        end += inner.size(module.to_ctx());
        fields.push(Field { name, rust, offset: member.offset });
    }
    Ok((fields, end))
}

fn scalar_name(kind: ScalarKind) -> Option<&'static str> {
    match kind {
        ScalarKind::Float => Some("f32"),
        ScalarKind::Uint => Some("u32"),
        ScalarKind::Sint => Some("i32"),
        _ => None,
    }
}

/// The element type of a storage buffer; `None` for anything but a runtime-sized array of numbers.
fn element(module: &Module, ty: naga::Handle<naga::Type>) -> Option<Element> {
    let TypeInner::Array { base, .. } = module.types[ty].inner else { return None };
    match module.types[base].inner {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) | TypeInner::Vector { scalar, .. } => {
            match scalar.kind {
                ScalarKind::Float => Some(Element::F32),
                ScalarKind::Uint | ScalarKind::Sint => Some(Element::U32),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Shader {
    fn write(&self, code: &mut String) -> std::fmt::Result {
        let Self { name, workgroup_size, params, params_size, bindings } = self;
        writeln!(code, "/// Bindings of `{name}.wgsl`, where each field is described.")?;
        writeln!(code, "#[allow(missing_docs, reason = \"described in the shader\")]")?;
        writeln!(code, "pub mod {name} {{")?;
        writeln!(code, "    use super::{{Binding, Memory, Parameters, Shader}};\n")?;
        writeln!(
            code,
            "    #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]\n    #[repr(C)]"
        )?;
        writeln!(code, "    pub struct Params {{")?;
        for field in params {
            writeln!(code, "        pub {}: {},", field.name, field.rust)?;
        }
        writeln!(code, "    }}\n    const _: () = assert!(size_of::<Params>() == {params_size});")?;
        for Field { name, offset, .. } in params {
            writeln!(code, "    const _: () = assert!(std::mem::offset_of!(Params, {name}) == {offset});")?;
        }
        writeln!(code, "\n    pub struct Bindings<M: Memory> {{")?;
        for Binding { name, element, .. } in bindings {
            let element = if *element == Element::F32 { "F32" } else { "U32" };
            writeln!(code, "        pub {name}: M::{element},")?;
        }
        writeln!(code, "    }}\n\n    impl Parameters for Params {{")?;
        writeln!(code, "        type Bindings<M: Memory> = Bindings<M>;")?;
        writeln!(code, "        const SHADER: &'static Shader = &SHADER;")?;
        writeln!(
            code,
            "        fn in_order<M: Memory>(bindings: Bindings<M>) -> Vec<M::Any> {{\n            vec!["
        )?;
        for Binding { name, .. } in bindings {
            writeln!(code, "                bindings.{name}.into(),")?;
        }
        writeln!(code, "            ]\n        }}\n    }}\n")?;
        writeln!(code, "    pub static SHADER: Shader = Shader {{\n        name: \"{name}\",")?;
        writeln!(code, "        source: include_str!(concat!(env!(\"OUT_DIR\"), \"/{name}.wgsl\")),")?;
        writeln!(code, "        workgroup_size: {workgroup_size:?},\n        params_size: {params_size},")?;
        writeln!(code, "        bindings: &[")?;
        for Binding { name, read_only, .. } in bindings {
            writeln!(code, "            Binding {{ name: \"{name}\", read_only: {read_only} }},")?;
        }
        writeln!(code, "        ],\n    }};\n}}\n")
    }
}
