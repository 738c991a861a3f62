// Keeps what has been loaded, so that the page opens again without a network: see offline-worker.js.

// Refused in an opaque sandbox and on plain http, where the page works as well while there is a network.
if (self.origin !== "null") {
    navigator.serviceWorker?.register(new URL("offline-worker.js", import.meta.url)).catch(() => {});
}
