// <fast-vae>: a lesson of FastVAE inside any page.
//
//     <script type="module" src="https://HOST/embed.js"></script>
//     <fast-vae lesson="midx" k="16" seed="7"><img src="midx.svg" alt="..."></fast-vae>
//
// The content of the element shows until the lesson does. This file loads nothing before a widget comes near the window;
// then it fetches page.js, which lies beside it, and mounts the lesson in a shadow root. WebAssembly does the mathematics.

const here = new URL(".", import.meta.url);

const NUMBERS = ["items", "dim", "k", "negatives", "seed", "epochs"];
const FLAGS = ["background", "autostart", "selftest"];
/** Attributes, keys of embed.html's address, and properties. */
export const PARAMETERS = [
    "lesson", "samplers", "speed", "hide", "theme", "lang", "engine", "data", "compact", ...NUMBERS, ...FLAGS,
];
/** `base` says where scripts come from, so it is an attribute alone: no address and no state may name it. */
const ATTRIBUTES = [...PARAMETERS, "base"];

const sheet = new CSSStyleSheet();
// The host page's rules stop at the shadow root; what it inherits stops at the frame. Inside, rules of :host that are
// !important win over those of the page.
sheet.replaceSync(`
    :host { display: flow-root !important; min-width: 0 }
    :host([hidden]) { display: none !important }
    .frame, .about { all: initial; direction: ltr; color-scheme: light dark; display: block; font-family: system-ui, sans-serif }
    .light { color-scheme: light }
    .dark { color-scheme: dark }
    .about p { margin: .5em 0; font-size: 14px; color: light-dark(#59636e, #a0aab6) }
    .about p:empty { display: none }
    .about p.error { color: light-dark(#a40000, #ff8a80) }
    .about button { font: inherit; margin-inline-start: .5em; padding: .3em .8em; cursor: pointer }
`);

// ---------------------------------------------------------------------------------------------- the page's coordinator

const AT_ONCE = 2;
/** A boot that takes longer no longer keeps the others waiting. */
const PATIENCE = 10_000;
/** Out of sight for so long, a widget gives its engine back. */
const AWAY = 30_000;
const waiting = [];
let booting = 0;
/** The widget that trains, or that trained last. */
let trainer;

/** Resolves when it is this widget's turn to boot, with the function that ends the turn. */
function turn(first) {
    return new Promise((resolve) => {
        waiting[first ? "unshift" : "push"](resolve);
        next();
    });
}

function next() {
    while (booting < AT_ONCE && waiting.length) {
        booting++;
        let over = false;
        const end = () => {
            if (over) return;
            over = true;
            booting--;
            next();
        };
        setTimeout(end, PATIENCE);
        waiting.shift()(end);
    }
}

/** Widgets in other frames of this origin share the machine, too. An opaque origin may have no channel. */
let channel;
try {
    channel = new BroadcastChannel("fast-vae");
    channel.onmessage = () => trains(undefined);
} catch {}

/** This widget trains now; the one that did so far holds. */
function trains(widget) {
    if (widget === trainer) return;
    trainer?._hold();
    trainer = widget;
    if (widget) channel?.postMessage("trains");
}

const seen = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.target._seen(entry.isIntersecting)),
    { rootMargin: "200px" },
);

// ---------------------------------------------------------------------------------------------------- light and dark

/** Widgets on the page. */
const connected = new Set();
const SAID = ["data-theme", "data-bs-theme", "data-md-color-scheme", "data-color-mode", "data-mode"];

/** `light` or `dark` where the page around says so, in one of the ways that tools for course pages have. */
function schemeAround(element) {
    for (const root of [document.documentElement, document.body]) {
        for (const name of SAID) {
            const said = root?.getAttribute(name) ?? "";
            if (/dark|slate|night|black/i.test(said)) return "dark";
            if (/light|default|white/i.test(said)) return "light";
        }
        for (const scheme of ["dark", "light"]) {
            if ([scheme, `theme-${scheme}`, `quarto-${scheme}`].some((name) => root?.classList.contains(name))) return scheme;
        }
    }
    // "light dark" and "normal" leave it to the system.
    return /^(only )?(light|dark)( only)?$/.exec(getComputedStyle(element).colorScheme)?.[2] ?? "";
}

const dress = () => connected.forEach((widget) => widget._dress());
const around = new MutationObserver(dress);
for (const root of [document.documentElement, document.body]) {
    if (root) around.observe(root, { attributes: true, attributeFilter: [...SAID, "class", "style"] });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);

/** The module of the lessons, once for each base. */
const modules = new Map();

/** Loads the lessons from a folder; what fails has `code`, `message` and `help`. */
export function load(base) {
    if (!modules.has(base)) {
        const loaded = (async () => {
            if (typeof WebAssembly !== "object") {
                throw failure("unsupported", "This browser has no WebAssembly.", "Use a current browser.");
            }
            const module = await import(`${base}page.js`).catch((error) => {
                throw failure(
                    navigator.onLine ? "load" : "offline",
                    `${base}page.js cannot be loaded: ${error.message}`,
                    `Check the connection, the attribute base, and that the page's policy allows scripts of ${base}`,
                );
            });
            await module.default({ module_or_path: `${base}page_bg.wasm` }).catch((error) => {
                if (error.help) throw error;
                throw error instanceof WebAssembly.CompileError
                    ? failure("policy", `WebAssembly is refused: ${error.message}`,
                        "Allow 'wasm-unsafe-eval' in script-src of the page's content security policy.")
                    : failure("load", `${base}page_bg.wasm cannot be loaded: ${error.message}`,
                        `Check that the server sends it, and that the page's policy allows to connect to ${base}`);
            });
            return module;
        })();
        modules.set(base, loaded);
        loaded.catch(() => modules.delete(base));
    }
    return modules.get(base);
}

function failure(code, message, help) {
    return Object.assign(new Error(message), { code, help });
}

// --------------------------------------------------------------------------------------------------------- the element

class FastVae extends HTMLElement {
    static observedAttributes = ATTRIBUTES;

    /** What getState() gave, or the keys of a share link: where the lesson starts. */
    state;
    #frame;
    #note;
    #widget;
    /** The boot under way or done. */
    #booted;
    /** Counts boots, so that one given up knows. */
    #boot = 0;
    /** Unknown until the observer has spoken. */
    #visible;
    #resting = false;
    /** Whether it played when it went out of sight. */
    #played = false;
    #away;
    #changes;

    constructor() {
        super();
        const root = this.attachShadow({ mode: "open" });
        root.adoptedStyleSheets = [sheet];
        this.#note = document.createElement("p");
        this.#note.setAttribute("role", "status");
        const about = document.createElement("div");
        about.className = "about";
        about.append(this.#note);
        root.append(document.createElement("slot"), about);
        // The button inside the lesson counts as much as play().
        this.addEventListener("play", () => trains(this));
    }

    connectedCallback() {
        for (const name of ATTRIBUTES) {
            // Set before the element was defined, such a property would hide the accessor.
            if (Object.hasOwn(this, name)) {
                const value = this[name];
                delete this[name];
                this[name] = value;
            }
        }
        seen.observe(this);
        connected.add(this);
        this._dress();
    }

    disconnectedCallback() {
        connected.delete(this);
        seen.unobserve(this);
        this._seen(false);
        // An element that is only moved comes back at once, with its state.
        setTimeout(() => this.isConnected || this.destroy());
    }

    attributeChangedCallback(name, before, value) {
        if (before === value) return;
        if (name === "theme") this._dress();
        if (name === "base" || !this.#widget) return;
        // Changes of one turn are one change.
        if (!this.#changes) {
            queueMicrotask(() => {
                const changes = this.#changes;
                this.#changes = undefined;
                this.#guard(() => this.#widget?.setParameters(changes));
            });
        }
        this.#changes = { ...this.#changes, [name]: value };
    }

    // ---- methods; each boots the lesson where that has not happened

    async play() {
        const widget = await this.#ensure();
        trains(this);
        clearTimeout(this.#away);
        return widget.play();
    }

    async pause() {
        return this.#widget?.pause();
    }

    async step(n = 1) {
        return (await this.#ensure()).step(n);
    }

    async reset() {
        return (await this.#ensure()).reset();
    }

    /** Sets the attributes of these names; null takes one away. */
    setParameters(parameters) {
        for (const [name, value] of Object.entries(parameters)) {
            if (PARAMETERS.includes(name)) set(this, name, value);
            else this.#fail(failure("parameter", `fast-vae has no parameter ${name}`, `Use ${PARAMETERS.join(", ")}.`));
        }
    }

    /** What the lesson shows; before it has loaded, the parameters. */
    async getState() {
        return this.#widget?.getState() ?? { ...this.state, ...this.#parameters(), playing: false, state: "loading" };
    }

    /** Gives back all that the widget holds, and shows what it showed at first. A method or a move brings it back. */
    destroy() {
        this.#boot++;
        this.#booted = undefined;
        seen.unobserve(this);
        if (trainer === this) trainer = undefined;
        const widget = this.#widget;
        this.#widget = undefined;
        clearTimeout(this.#away);
        this.#guard(() => {
            widget?.destroy();
            widget?.free();
        });
        this.#clear();
        this.#say("");
    }

    // ---- what the coordinator calls

    /** Light or dark: as the attribute says, else the page around, else the system. */
    _dress() {
        const scheme = /^(light|dark)$/.test(this.theme) ? this.theme : schemeAround(this);
        for (const part of this.shadowRoot.querySelectorAll(".about, .frame")) {
            part.classList.remove("light", "dark");
            if (scheme) part.classList.add(scheme);
        }
    }

    _seen(visible) {
        this.#visible = visible;
        if (visible) this.#ensure().catch(() => {});
        else if (this.#booted && !this.#widget) this.#giveUp();
        this.#rest();
    }

    /** Held where nobody sees it, and after a while without its engine; back in sight it goes on. */
    #rest() {
        const away = this.#visible === false && !this.background;
        const widget = this.#widget;
        if (!widget || away === this.#resting) return;
        this.#resting = away;
        clearTimeout(this.#away);
        this.#guard(() => {
            if (away) {
                this.#played = widget.getState().playing;
                if (this.#played) widget.pause();
                this.#away = setTimeout(() => this.#guard(() => widget.park()), AWAY);
            } else {
                widget.unpark();
                if (this.#played && trainer === this) widget.play();
            }
        });
    }

    _hold() {
        this.#guard(() => this.#widget?.pause());
    }

    // ---- booting

    #ensure() {
        this.#booted ??= this.#start(++this.#boot);
        return this.#booted;
    }

    #giveUp() {
        this.#boot++;
        this.#booted = undefined;
        this.#clear();
        this.#say("");
    }

    async #start(boot) {
        const given = () => boot !== this.#boot;
        const end = await turn();
        try {
            if (given()) throw failure("destroyed", "The widget went away while it loaded.", "");
            this.#say("Loading the lesson.");
            const module = await load(this.#folder());
            if (given()) throw failure("destroyed", "The widget went away while it loaded.", "");
            this.#clear();
            this.#frame = document.createElement("div");
            this.#frame.className = "frame";
            this.#frame.lang = this.lang || "en";
            this.shadowRoot.append(this.#frame);
            this._dress();
            for (const event of ["engine", "error"]) this.addEventListener(event, end, { once: true });
            this.#resting = this.#played = false;
            const widget = module.mount(this.#frame, { ...this.state, ...this.#parameters() }, this);
            this.#widget = widget;
            this.#say("");
            this.shadowRoot.querySelector("slot").hidden = true;
            seen.observe(this);
            this.#rest();
            return widget;
        } catch (error) {
            end();
            if (!given()) {
                this.#giveUp();
                this.#fail(error);
            }
            throw error;
        }
    }

    #clear() {
        this.#frame?.remove();
        this.#frame = undefined;
        this.shadowRoot.querySelector("slot").hidden = false;
    }

    #parameters() {
        const parameters = {};
        for (const name of PARAMETERS) {
            if (this.hasAttribute(name)) parameters[name] = this.getAttribute(name);
        }
        return parameters;
    }

    /** Where the scripts of the lesson lie: on the site of this script or of the page, and nowhere else. */
    #folder() {
        const base = this.getAttribute("base");
        if (!base) return here.href;
        // A folder, whether or not it was written with its last slash.
        const folder = URL.parse(`${base}/`.replace(/\/+$/, "/"), document.baseURI);
        const own = [...new Set([here.origin, location.origin])];
        if (!/^https?:$/.test(folder?.protocol) || !own.includes(folder.origin)) {
            throw failure("base", `base="${base}" is refused: scripts are loaded from ${own.join(" and ")} only.`,
                "Leave the attribute away; the files are looked for beside embed.js.");
        }
        return folder.href;
    }

    // ---- telling

    #guard(act) {
        try {
            return act();
        } catch (error) {
            this.#fail(error);
        }
    }

    #fail(error) {
        const detail = {
            code: error.code ?? "bug",
            message: error.message ?? String(error),
            help: error.help ?? "Reload the page, and please report this.",
        };
        if (!this.#widget) {
            this.#say(`${detail.message} ${detail.help}`, "error");
            const again = document.createElement("button");
            again.textContent = "Try again";
            again.onclick = () => this.#ensure().catch(() => {});
            this.#note.append(again);
        }
        this.dispatchEvent(new CustomEvent("error", { detail }));
    }

    #say(text, kind = "") {
        this.#note.className = kind;
        this.#note.textContent = text;
    }
}

function set(element, name, value) {
    if (value == null || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : value);
}

for (const name of ATTRIBUTES) {
    if (name === "lang") continue; // Every element has it.
    Object.defineProperty(FastVae.prototype, name, {
        enumerable: true,
        configurable: true,
        get() {
            const value = this.getAttribute(name);
            if (FLAGS.includes(name)) return value !== null && value !== "false" && value !== "0";
            return value !== null && NUMBERS.includes(name) ? Number(value) : value;
        },
        set(value) {
            set(this, name, value);
        },
    });
}

if (!customElements.get("fast-vae")) customElements.define("fast-vae", FastVae);
