// Real folders of logs for the source tests: temporary, and rotated as the kubelet and logrotate do it.
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

export interface LogFolder {
  readonly root: string
  path(...parts: string[]): string
  write(name: string, text: string): string
  append(name: string, text: string): void
  rename(from: string, to: string): void
  /** As the kubelet does it: a temporary file first, then its name, then the plain file goes. */
  gzip(name: string): void
  remove(): void
}

export function logFolder(): LogFolder {
  const root = mkdtempSync(join(tmpdir(), 'millrace-sources-'))
  const path = (...parts: string[]): string => join(root, ...parts)
  return {
    root,
    path,
    write(name, text) {
      mkdirSync(join(path(name), '..'), { recursive: true })
      writeFileSync(path(name), text)
      return path(name)
    },
    append: (name, text) => appendFileSync(path(name), text),
    rename: (from, to) => renameSync(path(from), path(to)),
    gzip(name) {
      writeFileSync(path(`${name}.tmp`), gzipSync(readFileSync(path(name))))
      renameSync(path(`${name}.tmp`), path(`${name}.gz`))
      rmSync(path(name))
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

export const POD = 'shop_cart-7d9c5b8f6d-x2k4p_0f1e2d3c-0000-4000-8000-000000000001'

/** `count` CRI lines with running numbers. */
export function criLines(from: number, count: number, tag = 'F'): string {
  let text = ''
  for (let n = from; n < from + count; n++) {
    text += `2026-11-23T10:00:00.${String(n).padStart(9, '0')}Z stdout ${tag} line ${n}\n`
  }
  return text
}
