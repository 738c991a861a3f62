// The service worker: the network first, what was loaded last where there is none or the server fails. A new version on the server is
// therefore seen at once, although every file keeps its name.

const CACHE = "fast-vae";
/** What the page needs before and after its first click. */
const FILES = [
    "./", "index.html", "embed.html", "embed.js", "frame.js", "frame.css", "offline.js", "start.js",
    "page.css", "figures.css", "lessons.css", "narrow.css",
    "page.js", "page_bg.wasm", "worker.js", "worker_bg.wasm", "worker_loader.js",
];
/** Data sets beyond this many bytes are fetched anew. */
const MOST = 32_000_000;

addEventListener("install", (event) => {
    skipWaiting();
    event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
    const { request } = event;
    if (request.method !== "GET" || !request.url.startsWith(registration.scope)) return;
    event.respondWith(answer(event, request));
});

/** The address of a file of the page without its settings, so that each is kept once. */
function plain(request) {
    const address = new URL(request.url);
    const own = FILES.some((file) => new URL(file, registration.scope).pathname === address.pathname);
    return own ? address.origin + address.pathname : request;
}

async function answer(event, request) {
    try {
        const response = await fetch(request);
        if (response.status >= 500) throw new Error(response.statusText);
        if (response.status === 200 && !(response.headers.get("content-length") > MOST)) {
            const copy = response.clone();
            event.waitUntil(caches.open(CACHE).then((cache) => cache.put(plain(request), copy)));
        }
        return response;
    } catch (error) {
        // The address holds settings; the file is the same.
        const kept = await caches.match(request, { ignoreSearch: true });
        if (kept) return kept;
        throw error;
    }
}
