// Keeps what has been loaded, so that the page opens again without a network: see offline-worker.js.

// Refused in an opaque sandbox and on plain http, where the page works as well while there is a network.
if (self.origin !== "null") {
    const address = new URL("offline-worker.js", import.meta.url).href;
    // Where the site requires trusted types, this is the second policy that it has to allow.
    const only = (given) => {
        if (given === address) return given;
        throw new TypeError(`${given} is refused`);
    };
    try {
        const policy = self.trustedTypes?.createPolicy("fastvae-offline", { createScriptURL: only });
        navigator.serviceWorker?.register(policy?.createScriptURL(address) ?? address).catch(() => {});
    } catch {}
}
