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
  /** What else the program loads: from where in the packages to where in the image. */
  modules?: Readonly<Record<string, string>>;
  /** Files with their text. */
  texts?: Readonly<Record<string, string>>;
  /** Instructions of a Dockerfile. */
  changes: readonly string[];
}

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';
const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const BUSYBOX: ImageRecipe = {
  packages: ['busybox-static'],
  file: 'bin/busybox',
  target: '/bin/busybox',
  links: [],
  changes: [PATH, 'CMD ["sh"]'],
};

export const RECIPES: Readonly<Record<keyof SystemImages, ImageRecipe>> = {
  sandbox: BUSYBOX,
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
  udpProxy: {
    packages: ['nginx', 'libnginx-mod-stream'],
    file: 'usr/sbin/nginx',
    target: '/usr/sbin/nginx',
    links: [],
    // In the public image the module is part of the program: whoever runs it includes what is in this folder.
    modules: { 'usr/lib/nginx/modules/ngx_stream_module.so': STREAM_MODULE },
    texts: { '/etc/nginx/modules-enabled/stream.conf': `load_module ${STREAM_MODULE};\n` },
    changes: [PATH],
  },
  recordServer: {
    packages: ['unbound'],
    file: 'usr/sbin/unbound',
    target: '/usr/sbin/unbound',
    links: [],
    changes: [PATH],
  },
  probe: BUSYBOX,
};
