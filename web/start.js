// index.html: starts the full page, and says so where something stands in the way.

import { load } from "./embed.js";

load(new URL(".", import.meta.url).href)
    .catch(({ message, help }) => {
        document.body.dataset.state = "error";
        document.querySelector(".lead").textContent = `${message} ${help}`;
    })
    // Afterwards: a service worker that takes over while files are on their way holds them up.
    .finally(() => import("./offline.js"));

// Another link that was pasted over this address.
addEventListener("hashchange", () => location.reload());
