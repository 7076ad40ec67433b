// Brings captures from the disk to the store, newest first, and tries until each is there.
import type { CaptureOptions } from '../../protocol/config/capture.js'
import { saidOf, systemCode } from '../../protocol/errors.js'
import type { ActorContext } from '../../runtime/actor.js'
import { backoffMs } from '../../runtime/retry.js'
import type { Spool } from './spool.js'
import type { CaptureStore } from './store.js'

export interface Uploads {
  /** There is something new: it is tried at once, even while others wait for their next try. `detectedMs`: monotonic. */
  hurry(key: string, detectedMs: number): void
  /** Past the disk, which did not take it: tried once. */
  direct(key: string, bytes: Uint8Array): Promise<void>
  /** Tries what an earlier run has left. */
  start(): void
  stop(): Promise<void>
  /** Why the store does not take captures at the moment. */
  fault(): string | undefined
  stored(): number
}

export interface UploadsOptions {
  readonly context: Pick<ActorContext, 'clock' | 'random' | 'log' | 'metrics' | 'fail'>
  readonly spool: Spool
  readonly retry: CaptureOptions['retry']
  /** Opened at the first use, and again when that failed. */
  open(): Promise<CaptureStore>
  onChange(): void
}

export function createUploads({ context, spool, retry, open, onChange }: UploadsOptions): Uploads {
  const { clock, metrics, log } = context
  const detected = new Map<string, number>()
  const refusals = new Map<string, number>()
  let store: CaptureStore | undefined
  let running: Promise<void> | undefined
  let again = false
  let failures = 0
  let fault: string | undefined
  let storedCount = 0
  let isStopped = false
  let cancelRetry = (): void => undefined

  async function upload(key: string): Promise<void> {
    const bytes = await spool.read(key)
    if (bytes === undefined) {
      // Somebody has deleted the file.
      metrics.add('captures_lost_total', 1, { reason: 'file_gone' })
      log.error({ capture: key }, 'a capture is gone from the disk before the store had it')
      return spool.remove(key)
    }
    store ??= await open()
    await store.put(key, bytes)
    await spool.remove(key)
    storedCount++
    metrics.add('captures_stored_total', 1)
    const since = detected.get(key)
    detected.delete(key)
    if (since !== undefined) metrics.observe('capture_seconds', (clock.monotonic() - since) / 1000)
    log.info({ capture: key, bytes: bytes.length, place: store.place }, 'capture stored')
  }

  /** Newest first, but one that was refused waits for the others: the reason may be its own. */
  function nextOne(): string | undefined {
    const keys = spool.waiting().map(({ key }) => key)
    for (const key of refusals.keys()) if (!keys.includes(key)) refusals.delete(key)
    const order = (key: string): number => refusals.get(key) ?? 0
    return keys.sort((a, b) => order(a) - order(b))[0]
  }

  /** Until all is stored or one fails: what the store refuses for one it mostly refuses for all. */
  async function run(): Promise<void> {
    for (;;) {
      const key = nextOne()
      if (key === undefined || isStopped) return
      try {
        await upload(key)
        failures = 0
        fault = undefined
      } catch (error) {
        refusals.set(key, (refusals.get(key) ?? 0) + 1)
        failed(error)
        return
      }
      onChange()
    }
  }

  function failed(error: unknown): void {
    failures++
    const text = saidOf(error)
    metrics.add('capture_store_errors_total', 1, { code: systemCode(causeOf(error)) ?? 'unknown' })
    if (text !== fault) log.warn({ detail: text }, 'a capture waits on disk for its store')
    fault = text
    onChange()
    if (isStopped) return
    cancelRetry()
    cancelRetry = clock.after(backoffMs(retry, failures, context.random), begin)
  }

  function begin(): void {
    if (isStopped) return
    if (running !== undefined) {
      again = true
      return
    }
    running = run()
      .catch(context.fail)
      .finally(() => {
        running = undefined
        if (!again) return
        again = false
        begin()
      })
  }

  return {
    hurry(key, detectedMs) {
      detected.set(key, detectedMs)
      begin()
    },
    async direct(key, bytes) {
      store ??= await open()
      await store.put(key, bytes)
      storedCount++
      metrics.add('captures_stored_total', 1)
    },
    start: begin,
    async stop() {
      isStopped = true
      cancelRetry()
      // What is under way may end; what does not is on disk.
      await running
      await store?.close()
    },
    fault: () => fault,
    stored: () => storedCount,
  }
}

/** The store's own code (`403`) or the system's (`ECONNREFUSED`), not ours. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error
}
