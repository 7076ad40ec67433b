// `millrace tenants`: from one plan of tenants, the manifests and settings that keep each one's logs apart.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { MillraceError, systemCode } from '../protocol/errors.js'
import { parseConfig } from '../runtime/config/load.js'
import { makeFolder } from '../runtime/make-folder.js'
import { readTenantPlan } from './tenants/plan.js'
import { renderTenants } from './tenants/render.js'
import { configOption } from './options.js'

interface TenantsOptions {
  readonly config: string
  readonly tenants: string
  readonly overlay: string
  readonly out: string
}

export function tenantsCommand(): Command {
  return new Command('tenants')
    .description(
      'Writes, for each tenant of a plan, a kustomize overlay of agents with its configuration, and the settings of the backends.',
    )
    .addOption(configOption())
    .requiredOption('--tenants <file>', 'plan: tenants with namespaces, labels, retention and budget')
    .requiredOption(
      '--overlay <folder>',
      'kustomize overlay with agents and nothing else, such as k8s/overlays/standalone',
    )
    .requiredOption('--out <folder>', 'where the files go; those of an earlier run are replaced')
    .action((options: TenantsOptions) => {
      const plan = readTenantPlan(options.tenants)
      // Wrong before is wrong after, and the place is told in the file that the user wrote.
      const { text } = loadShared(options.config)
      const overlay = path.relative(path.join(options.out, 'tenant'), options.overlay)
      const files = renderTenants({ plan, config: { text, file: options.config }, overlay })
      for (const [name, content] of files) {
        if (name.endsWith('/millrace.yaml'))
          parseConfig(content, path.join(options.out, name), samples(content))
      }
      for (const [name, content] of files) write(path.join(options.out, name), content)
      for (const name of files.keys()) process.stdout.write(`${path.join(options.out, name)}\n`)
    })
}

function loadShared(file: string): { readonly text: string } {
  try {
    const text = readFileSync(file, 'utf8')
    return { text: parseConfig(text, file, samples(text)).text }
  } catch (error) {
    if (error instanceof MillraceError) throw error
    throw new MillraceError(
      'config.unreadable',
      `${file}: cannot be read (${systemCode(error) ?? String(error)}); name another with -c`,
      { cause: error },
    )
  }
}

/** The variables are those of a pod, not of this shell: a text that passes for an address and for a name stands in for each. */
function samples(text: string): Record<string, string> {
  const names = [...text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)].map((match) => match[1] ?? '')
  return {
    ...Object.fromEntries(names.map((name) => [name, 'http://variable:1'])),
    ...process.env,
  } as Record<string, string>
}

function write(file: string, text: string): void {
  try {
    makeFolder(path.dirname(file))
    writeFileSync(file, text)
  } catch (cause) {
    throw new MillraceError(
      'usage.write',
      `${file} can not be written (${systemCode(cause) ?? String(cause)})`,
      { cause },
    )
  }
}
