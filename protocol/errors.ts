// The one error class: a stable code, a message that names the thing, the value and the way out, and its cause.

/** Codes are dotted, area first: `config.unknown_key`, `journal.locked`. Users may match on them. */
export class MillraceError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'MillraceError'
    this.code = code
  }
}

/** What crosses a thread boundary of an error: postMessage drops code and class. */
export interface WireError {
  readonly code: string
  readonly message: string
  readonly stack?: string
}

export function toWireError(error: unknown): WireError {
  if (!(error instanceof Error)) return { code: 'unknown', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
  return { code, message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) }
}

/** The system error code (ENOSPC, ECONNREFUSED, …) of an error or of its causes, if there is one. */
export function systemCode(error: unknown): string | undefined {
  let at: unknown = error
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    if ('code' in at && typeof at.code === 'string') return at.code
    at = at.cause
  }
  return undefined
}

/** What was thrown, in its own words: a message without the name of its class. */
export const saidOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))
