// embed.html: one <fast-vae> with the address's keys as attributes, and its height told to the page around.

import { PARAMETERS } from "./embed.js";

const widget = document.createElement("fast-vae");
// The fragment is that of a share link, or what was shown before the reader went away and came back.
const fragment = new URLSearchParams(location.hash.slice(1));
for (const [key, value] of [...new URLSearchParams(location.search), ...fragment]) {
    // Others, such as those that mailers add to an address, are none of the lesson's.
    if (PARAMETERS.includes(key)) widget.setAttribute(key, value);
}
widget.state = Object.fromEntries(fragment);
addEventListener("hashchange", () => location.reload());
widget.textContent = "The lesson is loading.";
// The ground of the frame is that of the lesson.
if (["light", "dark"].includes(widget.theme)) document.documentElement.classList.add(widget.theme);
widget.addEventListener("ready", () => import("./offline.js"), { once: true });
document.body.append(widget);

// ------------------------------------------------------------------------------------------- the height of the frame

// Pages around listen in different ways; the height holds no secret. pym.js names its frame in the address,
// iframe-resizer introduces itself by a message.
const pym = new URLSearchParams(location.search).get("childId");
let resizer;
let height = 0;

const tell = () => {
    if (parent === window || !height) return;
    const width = Math.ceil(widget.getBoundingClientRect().width);
    const messages = [
        { subject: "lti.frameResize", height }, // LTI: Canvas
        { type: "plugin.resize", payload: { width, height } }, // Open edX
        JSON.stringify({ src: location.href, context: "iframe.resize", height }), // Embedly, Medium
        { type: "resize", height }, // small scripts on course pages
    ];
    if (pym) messages.push(`pymxPYMx${pym}xPYMxheightxPYMx${height}`);
    if (resizer) messages.push(`[iFrameSizer]${resizer}:${height}:${width}:resize`);
    for (const message of messages) parent.postMessage(message, "*");
};

addEventListener("message", ({ data, source }) => {
    if (source !== parent || typeof data !== "string" || !data.startsWith("[iFrameSizer]")) return;
    resizer = data.slice("[iFrameSizer]".length).split(":")[0];
    tell();
});

new ResizeObserver(() => {
    const now = Math.ceil(widget.getBoundingClientRect().height);
    if (now === height) return;
    height = now;
    tell();
}).observe(widget);
