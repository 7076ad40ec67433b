// A synthetic cluster: pods that write CRI log files under a folder, with levels, partial lines, rotations and crashes as real ones do.
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'

export interface PodsOptions {
  readonly root: string
  readonly pods: number
  readonly recordsPerSecond: number
  readonly random: () => number
}

export interface SyntheticPods {
  /** Writes what is due since the last call. */
  write(nowMs: number): void
  written(): number
  close(): void
}

interface Pod {
  readonly service: string
  readonly folder: string
  fd: number
}

const SERVICES = [
  'payment-api',
  'cart',
  'checkout',
  'search',
  'health-checker',
  'inventory',
  'auth',
  'shipping',
]
const ROTATE_BYTES = 1024 * 1024
/** containerd splits longer lines into partials. */
const PARTIAL_BYTES = 16 * 1024

export function createPods(options: PodsOptions): SyntheticPods {
  const { random } = options
  const pods = Array.from({ length: options.pods }, (_, n) =>
    openPod(options.root, SERVICES[n % SERVICES.length] ?? 'app'),
  )
  let lastMs = 0
  let owed = 0
  let written = 0
  return {
    write(nowMs) {
      if (lastMs === 0) lastMs = nowMs
      owed += ((nowMs - lastMs) / 1000) * options.recordsPerSecond
      lastMs = nowMs
      for (; owed >= 1; owed--) {
        const pod = pods[Math.floor(random() * pods.length)] as Pod
        writeSync(pod.fd, criLines(pod.service, nowMs, random))
        written++
      }
      for (const pod of pods) rotate(pod, nowMs)
    },
    written: () => written,
    close() {
      for (const pod of pods) closeSync(pod.fd)
    },
  }
}

function openPod(root: string, service: string): Pod {
  const uid = randomUUID()
  const suffix = uid.slice(-5).replace(/[^a-z0-9]/g, 'x')
  const folder = join(root, `demo_${service}-7d9f8b6c5d-${suffix}_${uid}`, 'main')
  mkdirSync(folder, { recursive: true })
  return { service, folder, fd: openSync(join(folder, '0.log'), 'a') }
}

function criLines(service: string, nowMs: number, random: () => number): string {
  const nanos = String(Math.floor(random() * 1e6)).padStart(6, '0')
  const stamp = new Date(nowMs).toISOString().replace('Z', `${nanos}Z`)
  const dice = random()
  if (dice < 0.02)
    return `${stamp} stderr F panic: runtime error: invalid memory address or nil pointer dereference\n`
  if (dice < 0.04)
    return `${stamp} stdout F I1123 10:00:00.000000       1 server.go:42] plain text of ${service}\n`
  const line = jsonLine(service, stamp, dice < 0.0405 ? 40_000 : 0, random)
  if (line.length <= PARTIAL_BYTES) return `${stamp} stdout F ${line}\n`
  let lines = ''
  for (let at = 0; at < line.length; at += PARTIAL_BYTES) {
    const tag = at + PARTIAL_BYTES < line.length ? 'P' : 'F'
    lines += `${stamp} stdout ${tag} ${line.slice(at, at + PARTIAL_BYTES)}\n`
  }
  return lines
}

function jsonLine(service: string, stamp: string, padding: number, random: () => number): string {
  const dice = random()
  const level =
    dice < 0.6 ? 'info' : dice < 0.8 ? 'debug' : dice < 0.9 ? 'trace' : dice < 0.97 ? 'warn' : 'error'
  return JSON.stringify({
    ts: stamp,
    level,
    service_name: service,
    msg: `${service} handled request`,
    caller: 'handler/request.go:118',
    trace_id: Array.from({ length: 4 }, () =>
      Math.floor(random() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).join(''),
    status_code: dice < 0.95 ? 200 : 500,
    latency_ms: Math.round(random() * 3000) / 10,
    amount_usd: Math.floor(random() * 10_000),
    ...(padding > 0 ? { payload: 'x'.repeat(padding) } : {}),
  })
}

/** As the kubelet does: the file gets its rotation time as a suffix, and the runtime opens a new one. */
function rotate(pod: Pod, nowMs: number): void {
  const live = join(pod.folder, '0.log')
  if (statSync(live).size < ROTATE_BYTES) return
  const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)
  closeSync(pod.fd)
  renameSync(live, `${live}.${stamp}`)
  pod.fd = openSync(live, 'a')
}

/** Removes everything the demo wrote. */
export function removeDemo(root: string): void {
  rmSync(root, { recursive: true, force: true })
}
