// The error of a store that did not do what it was asked.
import { MillraceError, saidOf, systemCode } from '../../../protocol/errors.js'

export function storeFault(place: string, doing: string, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  const why = systemCode(cause) ?? saidOf(cause)
  return new MillraceError('capture.store', `captures: ${place} does not ${doing} (${why})`, { cause })
}

/** A capture is small; anything larger under its name is not one. */
export const CAPTURE_BYTES_MAX = 256 * 1024 * 1024
