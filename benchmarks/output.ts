// Where results go: looked at before anything is measured, so that no measurement is lost for want of a place.
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { MillraceError, saidOf, systemCode } from '../protocol/errors.js'
import { makeFolder } from '../runtime/make-folder.js'

/** Makes it when it is not there. Throws `usage.write`. */
export function openFolder(option: string, folder: string): void {
  try {
    makeFolder(folder)
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw cannotSave(option, folder, cause)
  }
}

/** Throws `usage.write` where it, or its folder as long as it does not exist, can not be written. */
export function demandWritable(option: string, file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK)
  } catch (cause) {
    throw cannotSave(option, file, cause)
  }
}

export function cannotSave(option: string, path: string, cause: unknown): MillraceError {
  return new MillraceError(
    'usage.write',
    `${option}: ${path} can not be written (${systemCode(cause) ?? saidOf(cause)}); name another`,
    { cause },
  )
}
