// A small file system in memory for a node's data, so that its disk can be full; needs root on Linux, elsewhere a plain folder.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Disk {
  readonly folder: string
  /** Takes all room but a little; false where the folder is no file system of its own. */
  fill(): boolean
  empty(): void
  unmount(): void
}

const SIZE = '80m'
/** Leaves room for part of a write: the failure comes in its middle. */
const LEFT_BYTES = 50_000

export function mountDisk(folder: string): Disk {
  mkdirSync(folder)
  const mounted = mount(folder)
  const filler = join(folder, 'filler')
  return {
    folder,
    fill() {
      if (!mounted) return false
      const { bavail, bsize } = statfsSync(folder)
      try {
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES)))
      } catch {
        // The node was quicker: then it is full all the same.
      }
      return true
    },
    empty: () => rmSync(filler, { force: true }),
    unmount() {
      if (mounted) execFileSync('umount', ['-l', folder])
    },
  }
}

function mount(folder: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder], { stdio: 'ignore' })
    return true
  } catch {
    return false // A container without CAP_SYS_ADMIN: the run goes on without a full disk, and says so.
  }
}
