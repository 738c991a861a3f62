// embed.html: one <fast-vae> with the address's keys as attributes, and its height told to the page around.

import { PARAMETERS } from "./embed.js";
import "./offline.js";

const widget = document.createElement("fast-vae");
for (const [key, value] of new URLSearchParams(location.search)) {
    // Others, such as those that mailers add to an address, are none of the lesson's.
    if (PARAMETERS.includes(key)) widget.setAttribute(key, value);
}
// The fragment of a share link.
widget.state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
widget.textContent = "The lesson is loading.";
document.body.append(widget);

let told = 0;
new ResizeObserver(() => {
    const height = Math.ceil(widget.getBoundingClientRect().height);
    if (height === told || parent === window) return;
    told = height;
    // Canvas gives the frame this height; other pages can listen for it. It holds no secret.
    parent.postMessage({ subject: "lti.frameResize", height }, "*");
}).observe(widget);
