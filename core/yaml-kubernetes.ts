import { Document, isScalar, visit } from 'yaml';
import type { ScalarTag, Tags } from 'yaml';

/**
 * Numbers and booleans as Kubernetes' parser resolves them, which is neither YAML 1.1 nor 1.2: `0644` is octal, `yes` is
 * true, digits may be grouped by underscores, and there are no numbers to the base of 60.
 */
export function kubernetesTags(tags: Tags): Tags {
  return [BOOLEAN, INTEGER, ...tags];
}

/** The object as YAML that Kubernetes, and YAML 1.2 too, read back as it was. */
export function kubernetesYaml(object: unknown): string {
  const document = new Document(object, {
    aliasDuplicateObjects: false,
    customTags: kubernetesTags,
  });
  visit(document, {
    Pair(_index, { key }) {
      // Plain, it would take over the keys of its value.
      if (isScalar(key) && key.value === '<<') key.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ lineWidth: 0 });
}

const YES = /^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const NO = /^(n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/;

const BOOLEAN: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: new RegExp(`${YES.source}|${NO.source}`),
  resolve: (text) => YES.test(text),
};

const INTEGER: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  // What begins with 0 and holds 8 or 9 is no octal number: it is left to the decimal ones.
  test: /^[-+]?(0[xX][0-9a-fA-F_]*[0-9a-fA-F]_*|0[bB][01_]*[01]_*|0[oO]?[0-7_]*[0-7]_*|[1-9][0-9_]*)$/,
  resolve: (text) => integer(text.replaceAll('_', '')),
};

function integer(text: string): number {
  const digits = text.replace(/^[-+]/, '');
  const octal = /^0[oO]?([0-7]+)$/.exec(digits)?.[1];
  const value = octal === undefined ? Number(digits) : Number.parseInt(octal, 8);
  return text.startsWith('-') ? -value : value;
}
