rule segment:
    input:
        slide=result("slide.zarr"),
        # Of it only the tissue mask counts, which depends on TISSUE_OPTIONS.
        quality=ancient(result("quality.zarr")),
        panel=ancient(panel),
    output:
        labels=directory(result("labels.zarr")),
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
        tissue=section("quality", TISSUE_OPTIONS),
    shell:
        "mifprofile segment -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} --workers {threads} > {log:q} 2>&1"
