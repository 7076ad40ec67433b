// What the rules make of a stream, worked out once for all streams that no rule can tell apart: thousands are decided at every reload.
import { LOG_TYPES } from '../../protocol/levels.js'
import type { DecideInput, Decision } from '../../protocol/sampling/rules.js'
import { heldFrom, type RuleBook } from '../traffic/rule-book.js'
import type { StreamKey } from './rates.js'

export interface Deciders {
  /** `held`: what its service's windows hold of the rules, as published. The function takes the stream's rate without rules. */
  of(stream: StreamKey, held: string): (baseRate: number) => Decision
}

/** Entries of texts held, and of names with them; when full, it begins anew. */
const SCOPES_MAX = 16_384

type Decider = (baseRate: number) => Decision

export function createDeciders(book: RuleBook): Deciders {
  const { services, namespaces } = book.named
  const namesAny = services.size > 0 || namespaces.size > 0
  const scopes = new Map<string, Decider[]>()
  /** Names that no rule asks for count as one. */
  function scopeOf({ service, namespace }: StreamKey, held: string): string {
    const asService = services.has(service)
    const asNamespace = namespaces.has(namespace)
    if (!asService && !asNamespace) return held
    return JSON.stringify([held, asService ? service : null, asNamespace ? namespace : null])
  }
  return {
    of(stream, held) {
      const scope = namesAny ? scopeOf(stream, held) : held
      let alike = scopes.get(scope)
      if (alike === undefined) {
        if (scopes.size >= SCOPES_MAX) scopes.clear()
        alike = []
        scopes.set(scope, alike)
      }
      const at = stream.level * LOG_TYPES.length + stream.logType
      return (alike[at] ??= book.set.decider(inputOf(stream, held)))
    },
  }
}

export function inputOf(stream: StreamKey, held: string): Omit<DecideInput, 'baseRate'> {
  const { service, namespace, level, logType } = stream
  return { service, namespace, level, logType, window: undefined, held: heldFrom(held) }
}
