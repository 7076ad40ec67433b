// Folders that look like mounted control groups, v1 and v2, with the files and names that kernel and kubelet give them.
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface PodGroup {
  readonly folder: string
  readonly containerFolder: string
  /** The kernel's OOM killer takes a process of the container. */
  kill(): void
  /** The runtime removes the container's group. */
  removeContainer(): void
}

const LIMIT = 64 * 1024 * 1024

/** v2, systemd driver, containerd: kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope. */
export function podGroupV2(root: string, uid: string, containerId: string): PodGroup {
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'cgroup.controllers'), 'cpuset cpu io memory hugetlb pids rdma misc\n')
  const slice = `kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`
  const folder = join(root, 'kubepods.slice', 'kubepods-burstable.slice', slice)
  const containerFolder = join(folder, `cri-containerd-${containerId}.scope`)
  let kills = 0
  const events = () =>
    `low 0\nhigh 0\nmax ${kills * 120}\noom ${kills}\noom_kill ${kills}\noom_group_kill 0\n`
  const files = {
    'memory.current': `${LIMIT - 4096}\n`,
    'memory.peak': `${LIMIT}\n`,
    'memory.max': `${LIMIT}\n`,
    'memory.oom.group': '1\n',
    'memory.stat': `anon ${LIMIT - 8192}\nfile 4096\npgfault 16641\n`,
    'cgroup.procs': '4711\n4712\n',
    'pids.current': '2\n',
  }
  for (const group of [folder, containerFolder]) {
    mkdirSync(group, { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(group, name), text)
    writeFileSync(join(group, 'memory.events'), events())
  }
  let isThere = true
  return {
    folder,
    containerFolder,
    kill() {
      kills++
      // The counters of the groups above grow with it, and stay when it is gone.
      if (isThere) writeFileSync(join(containerFolder, 'memory.events'), events())
      writeFileSync(join(folder, 'memory.events'), events())
    },
    removeContainer() {
      isThere = false
      rmSync(containerFolder, { recursive: true, force: true })
    },
  }
}

/** v1, cgroupfs driver: memory/kubepods/burstable/pod<uid>/<id>. Only the group itself counts. */
export function podGroupV1(root: string, uid: string, containerId: string): PodGroup {
  const folder = join(root, 'memory', 'kubepods', 'burstable', `pod${uid}`)
  const containerFolder = join(folder, containerId)
  mkdirSync(containerFolder, { recursive: true })
  writeFileSync(join(root, 'memory', 'cgroup.procs'), '1\n')
  let kills = 0
  const control = (count: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${count}\n`
  for (const group of [folder, containerFolder]) {
    writeFileSync(join(group, 'memory.usage_in_bytes'), `${LIMIT - 4096}\n`)
    writeFileSync(join(group, 'memory.max_usage_in_bytes'), `${LIMIT}\n`)
    writeFileSync(
      join(group, 'memory.limit_in_bytes'),
      `${group === folder ? '9223372036854771712' : LIMIT}\n`,
    )
    writeFileSync(join(group, 'memory.oom_control'), control(0))
    writeFileSync(join(group, 'memory.stat'), 'cache 4096\nrss 61440\n')
    appendFileSync(join(group, 'cgroup.procs'), '4711\n')
  }
  return {
    folder,
    containerFolder,
    kill() {
      kills++
      writeFileSync(join(containerFolder, 'memory.oom_control'), control(kills))
    },
    removeContainer: () => rmSync(containerFolder, { recursive: true, force: true }),
  }
}
