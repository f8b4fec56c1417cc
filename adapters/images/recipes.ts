import type { SystemImages } from '#core/images.ts';

/** How an image is made of Debian packages where it cannot be pulled. */
export interface ImageRecipe {
  packages: readonly string[];
  /** Within the packages. */
  file: string;
  /** Where the public image has the program. */
  target: string;
  /** Other names the program is run under. */
  links: readonly string[];
  /** Instructions of a Dockerfile. */
  changes: readonly string[];
}

const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const RECIPES: Readonly<Record<keyof SystemImages, ImageRecipe>> = {
  sandbox: {
    packages: ['busybox-static'],
    file: 'bin/busybox',
    target: '/bin/busybox',
    links: [],
    changes: [PATH, 'CMD ["sh"]'],
  },
  proxy: {
    packages: ['haproxy'],
    file: 'usr/sbin/haproxy',
    target: '/usr/local/sbin/haproxy',
    links: ['/usr/sbin/haproxy'],
    changes: [PATH],
  },
  nameServer: {
    packages: ['dnsmasq-base'],
    file: 'usr/sbin/dnsmasq',
    target: '/usr/sbin/dnsmasq',
    links: [],
    changes: [PATH],
  },
};
