// Where a running node can be met, read also from a configuration that has got a mistake since the node started.
import path from 'node:path'
import { type Node, visit } from 'yaml'
import { configSchema, type Config } from '../../protocol/config/schema.js'
import { MillraceError } from '../../protocol/errors.js'
import { loadConfig, readText, validate } from './load.js'
import { resolvePaths } from './paths.js'
import { substitute, type Environment } from './substitute.js'
import { parseYaml } from './yaml-text.js'

/** What says where and how. */
export type ReachSection = 'node' | 'http' | 'nats' | 'report'

/**
 * These sections, of a file that is right as a whole or at least in them, unknown keys apart; `warn` is told what is wrong.
 * Throws MillraceError `config.*` as loadConfig where they can not be relied on.
 */
export function loadReach<Section extends ReachSection>(
  file: string,
  sections: readonly Section[],
  warn: (text: string) => void,
  env: Environment = process.env,
): Pick<Config, Section> {
  try {
    return loadConfig(file, env).config
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const found = sectionsOf(file, sections, env)
    if (found === undefined) throw error
    warn(`the configuration has a mistake, the running node is asked all the same: ${error.message}`)
    return found
  }
}

function sectionsOf(file: string, sections: readonly ReachSection[], env: Environment): Config | undefined {
  const yaml = parseYaml(readText(file))
  const { document } = yaml
  const substitution = substitute(document, env)
  const nodes = sections.map((section) => yaml.nodeAt([section]))
  // Of a broken text it is not known whether a section that is not there was left out.
  if (yaml.problems.length > 0 && nodes.includes(undefined)) return undefined
  const unset = new Set<unknown>(substitution.missing.map(({ node }) => node))
  if (nodes.some((node) => node !== undefined && holds(node, unset))) return undefined
  const raw: Record<string, unknown> = {}
  for (const [index, section] of sections.entries()) {
    const node = nodes[index]
    if (node !== undefined) raw[section] = node.toJS(document)
  }
  dropUnknown(raw)
  const { config } = validate(raw, yaml, substitution)
  return config === undefined ? undefined : resolvePaths(config, path.dirname(path.resolve(file)))
}

function holds(node: Node, wanted: ReadonlySet<unknown>): boolean {
  let found = false
  visit(node, { Scalar: (_, scalar) => void (found ||= wanted.has(scalar)) })
  return found
}

function dropUnknown(raw: Record<string, unknown>): void {
  for (const issue of configSchema.safeParse(raw).error?.issues ?? []) {
    if (issue.code !== 'unrecognized_keys') continue
    const parent = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)[key], raw)
    for (const key of issue.keys) delete (parent as Record<string, unknown>)[key]
  }
}
