// A real memory control group on this machine, named as the kubelet names a container's, and a process that outgrows it.
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findTree } from '../../actors/capture/cgroup-tree.js'

export interface MemoryGroup {
  /** Where the control groups are mounted. */
  readonly root: string
  readonly version: 1 | 2
  /** Runs until the kernel kills it; what it writes to stderr goes into `log` as a container runtime writes it. */
  outgrow(log: string): Promise<{ code: number | null; signal: string | null }>
  remove(): Promise<void>
}

const ROOT = '/sys/fs/cgroup'
const LIMIT_BYTES = 96 * 1024 * 1024
const GREEDY = `
  const kept = []
  setInterval(() => {
    kept.push(Buffer.alloc(8 * 1024 * 1024, 1))
    process.stderr.write('holding ' + kept.length * 8 + ' MiB\\n')
  }, 5)`

/** Undefined, with the reason, where this machine or this user may not. */
export function createMemoryGroup(
  podUid: string,
  containerId: string,
): MemoryGroup | { readonly skip: string } {
  const tree = findTree(ROOT)
  if (tree === undefined) return { skip: 'no memory controller' }
  const { version } = tree
  const top = join(tree.base, `kubepods-millrace-test-${process.pid}`)
  const pod = join(top, `pod${podUid}`)
  const container = join(pod, containerId)
  try {
    for (const group of [top, pod, container]) {
      mkdirSync(group)
      if (version === 2 && group !== container)
        writeFileSync(join(group, 'cgroup.subtree_control'), '+memory')
    }
    if (version === 2 && existsSync(join(container, 'memory.swap.max')))
      writeFileSync(join(container, 'memory.swap.max'), '0')
    const limit = version === 2 ? 'memory.max' : 'memory.limit_in_bytes'
    writeFileSync(join(container, limit), String(LIMIT_BYTES))
  } catch (error) {
    for (const group of [container, pod, top]) if (existsSync(group)) rmdirSync(group)
    return { skip: `no control group can be made: ${String(error)}` }
  }
  return {
    root: ROOT,
    version,
    async outgrow(log) {
      const script = 'echo $$ > "$1/cgroup.procs" && exec "$2" -e "$3"'
      const args = ['-c', script, 'sh', container, process.execPath, GREEDY]
      const child = spawn('sh', args, { stdio: ['ignore', 'ignore', 'pipe'] })
      const lines = createInterface({ input: child.stderr })
      lines.on('line', (line) => appendFileSync(log, `${new Date().toISOString()} stderr F ${line}\n`))
      return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })))
    },
    async remove() {
      for (const group of [container, pod, top]) {
        // The kernel takes a moment to let the last process go.
        while (readFileSync(join(group, 'cgroup.procs'), 'utf8') !== '')
          await new Promise((resolve) => setTimeout(resolve, 10))
        rmdirSync(group)
      }
    },
  }
}
