// Follows the bucket, offers what counts to the supervisor, remembers on disk what was accepted, and tells how it stands.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { ActorContext } from '../../runtime/actor.js'
import type { ConfigBucket } from '../../runtime/nats/config-bucket.js'
import { createFollower, followedKeys, type Wanted } from './follower.js'

export interface SettingsStatus {
  /** Revision in effect; 0: the file's section. */
  readonly revision: number
  readonly key: string
  /** A revision that is not in effect, and why. */
  readonly refused?: string
}

export interface Settings {
  /** What was in effect when NATS was last there: a node that starts without it runs with the cluster's settings all the same. */
  start(): void
  /** Resolves when the watch ends, with the connection. */
  follow(bucket: ConfigBucket): Promise<void>
  answered(offer: number, refused: string | undefined): void
  /** Once a second, for what changes by time alone. */
  tick(): void
  status(): SettingsStatus
}

type Context = Pick<ActorContext, 'node' | 'clock' | 'random' | 'log' | 'metrics' | 'send'>

export function createSettings(context: Context): Settings {
  const { node, clock, log, metrics } = context
  const file = path.join(node.dataDir, 'cluster-settings.json')
  const follower = createFollower(node.id, node.clusterId)
  const offered = new Map<number, Wanted>()
  let offers = 0
  let inEffect: Wanted = { key: '', revision: 0 }
  let asked: Wanted = inEffect
  let refused: string | undefined
  let known = false

  function offer(wanted: Wanted): void {
    asked = wanted
    offered.set(++offers, wanted)
    const { sampling, ...origin } = wanted
    context.send('supervisor', {
      type: 'settings_offered',
      offer: offers,
      origin,
      ...(sampling === undefined ? {} : { sampling }),
    })
  }

  function look(): void {
    if (!known) return
    const wanted = follower.wanted(clock.now())
    if (wanted.revision !== asked.revision || wanted.key !== asked.key) offer(wanted)
  }

  function remember(wanted: Wanted): void {
    try {
      writeFileSync(`${file}.new`, JSON.stringify(wanted), { mode: 0o600 })
      renameSync(`${file}.new`, file)
    } catch (error) {
      log.warn({ file, err: error }, "the cluster's settings can not be remembered for a start without NATS")
    }
  }

  return {
    start() {
      let text: string
      try {
        text = readFileSync(file, 'utf8')
      } catch {
        return
      }
      try {
        const wanted = JSON.parse(text) as Wanted
        if (typeof wanted.sampling === 'string' && typeof wanted.revision === 'number') offer(wanted)
      } catch (error) {
        log.warn(
          { file, err: error },
          'the remembered settings can not be read; the file counts until NATS is there',
        )
      }
    },
    async follow(bucket) {
      for await (const entries of bucket.follow(followedKeys(node.id), context)) {
        for (const entry of entries) {
          follower.take(entry)
          const refusal = follower.refused()
          if (refusal?.revision === entry.revision) refuse(refusal.key, refusal.revision, refusal.why)
        }
        known = true
        look()
      }
    },
    answered(at, why) {
      const wanted = offered.get(at)
      offered.delete(at)
      if (wanted === undefined) return
      if (why !== undefined) return refuse(wanted.key, wanted.revision, why)
      metrics.add('settings_applied_total', 1)
      inEffect = wanted
      if (wanted.revision >= asked.revision) refused = undefined
      remember(wanted)
    },
    tick: look,
    status: () => ({
      revision: inEffect.revision,
      key: inEffect.key,
      ...(refused === undefined ? {} : { refused }),
    }),
  }

  function refuse(key: string, revision: number, why: string): void {
    metrics.add('settings_refused_total', 1)
    refused = `revision ${revision} of ${key} is refused: ${why}`
    log.error({ event: 'settings', key, revision, reason: why }, 'settings refused; the last good ones stay')
  }
}
