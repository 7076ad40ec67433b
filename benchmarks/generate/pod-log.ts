// The log file of one pod under a Kubernetes log root, written and rotated as the kubelet does it.
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { makeFolder } from '../../runtime/make-folder.js'

export interface PodLogOptions {
  readonly root: string
  readonly namespace: string
  readonly service: string
  /** Number of the pod in its root: its name and uid follow from it. */
  readonly number: number
  /** The file is rotated when it has grown to this; 0 never. */
  readonly rotateBytes: number
  /** Rotated files but the newest are gzip'd, as the kubelet does. */
  readonly gzipRotated?: boolean
  /** Rotated files beyond so many are deleted, the oldest first; left out: all stay. */
  readonly keepRotated?: number | undefined
}

export interface PodLog {
  /** Whole lines. A rotation falls between two of them, and so into a record that is split in pieces. */
  append(lines: Uint8Array): void
  /** Rotates now, unless nothing was written since the last time. */
  rotate(): void
  close(): void
}

const NEWLINE = 0x0a
const FIRST_ROTATION_MS = Date.UTC(2026, 0, 1)
/** The letters that Kubernetes uses in generated names. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'

/** Makes the folders. Throws the system's error when it cannot. */
export function openPodLog(options: PodLogOptions): PodLog {
  const { rotateBytes } = options
  const folder = join(options.root, podFolder(options), 'main')
  makeFolder(folder)
  const live = join(folder, '0.log')
  let fd = openSync(live, 'a')
  let bytes = 0
  let rotations = 0
  /** Oldest first. */
  const rotatedFiles: string[] = []

  function rotate(): void {
    const at = new Date(FIRST_ROTATION_MS + rotations++ * 1000).toISOString()
    const rotated = `${live}.${at.replace(/[-:]/g, '').replace('T', '-').slice(0, 15)}`
    closeSync(fd)
    renameSync(live, rotated)
    const previous = rotatedFiles.at(-1)
    if (options.gzipRotated === true && previous !== undefined) rotatedFiles.splice(-1, 1, gzipFile(previous))
    rotatedFiles.push(rotated)
    while (rotatedFiles.length > (options.keepRotated ?? Number.POSITIVE_INFINITY))
      rmSync(rotatedFiles.shift() as string)
    fd = openSync(live, 'a')
    bytes = 0
  }

  return {
    append(lines) {
      for (let at = 0; at < lines.length; ) {
        const cut = cutAt(lines, at, rotateBytes > 0 ? rotateBytes - bytes : lines.length)
        for (let from = at; from < cut; ) from += writeSync(fd, lines, from, cut - from)
        bytes += cut - at
        at = cut
        if (rotateBytes > 0 && bytes >= rotateBytes) rotate()
      }
    },
    rotate() {
      if (bytes > 0) rotate()
    },
    close: () => closeSync(fd),
  }
}

/** Returns the new name. A reader never sees half a file. */
function gzipFile(path: string): string {
  writeFileSync(`${path}.tmp`, gzipSync(readFileSync(path), { level: 1 }))
  renameSync(`${path}.tmp`, `${path}.gz`)
  rmSync(path)
  return `${path}.gz`
}

/** The end of the line that fills the room. */
function cutAt(lines: Uint8Array, at: number, room: number): number {
  const filled = at + Math.max(1, room)
  if (filled >= lines.length) return lines.length
  return lines.indexOf(NEWLINE, filled - 1) + 1 || lines.length
}

function podFolder({ namespace, service, number }: PodLogOptions): string {
  let suffix = ''
  for (let rest = number, digit = 0; digit < 5; digit++) {
    suffix += LETTERS[rest % LETTERS.length]
    rest = Math.floor(rest / LETTERS.length)
  }
  const uid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
  return `${namespace}_${service}-5d9f8b6c5d-${suffix}_${uid}`
}
