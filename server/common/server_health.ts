// Whether this process wants no more traffic: POST /healthcheck/fail. One for each thread, since it is about the process.
// Envoy: Server::Instance::healthCheckFailed.

/** `failed` is read per request. */
export const serverHealth = { failed: false };
