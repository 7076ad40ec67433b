// Tells the container runtime's lines (CRI log format) from bare ones.

// `<RFC 3339 time> stdout|stderr <tags> <content>`; the first tag is P (partial) or F (full).
const RUNTIME_LINE =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [PF](?:[: ]|$)/

export function isRuntimeLine(line: string): boolean {
  return RUNTIME_LINE.test(line)
}
