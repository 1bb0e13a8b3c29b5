rule segment:
    input:
        slide=result("slide.zarr"),
        quality=result("quality.zarr"),
        panel=ancient(panel),
    output:
        # Kept: of quality only the tissue mask counts, and if that is the same,
        # mifprofile finds the labels up to date.
        labels=update(directory(result("labels.zarr"))),
    log:
        result("logs/segment.log"),
    benchmark:
        result("logs/segment.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, mb_per_thread=1500),
    params:
        config=CONFIG,
        out=folder,
        panel=panel_part("nucleus", "membrane"),
        section=section("segment"),
    shell:
        "mifprofile segment -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} --workers {threads} > {log:q} 2>&1"
