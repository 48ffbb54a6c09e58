// Where exceptions of HTTP filters are told: they cost their own stream, and must not be lost.

let report: (error: unknown) => void = (error) => {
  process.stderr.write(`stream failed: ${error instanceof Error ? error.stack : String(error)}\n`);
};
/** Where exceptions of HTTP filters are reported: the worker's log. */
export function onStreamFailure(reporter: (error: unknown) => void): void {
  report = reporter;
}

export function reportStreamFailure(error: unknown): void {
  report(error);
}
